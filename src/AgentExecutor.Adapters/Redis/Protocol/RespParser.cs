using System.Buffers;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>
/// Makes values of tokens. What it has of an unfinished value it keeps from call to call, so a long reply is read once in however many pieces it comes. What a
/// list announces is not set aside before it is there.
/// </summary>
internal sealed class RespParser
{
    public const int MaxDepth = 32;

    private const int FirstCapacity = 16;

    private readonly RespTokens _tokens = new();
    private readonly Frame[] _frames = new Frame[MaxDepth];
    private int _depth;
    private bool _isKept;

    /// <summary>True where a value has begun and has not ended.</summary>
    public bool IsInside => _depth > 0;

    /// <summary>Takes one value off the buffer's front; false where it is not all there, and then what was read of it is off the buffer nevertheless.</summary>
    /// <param name="isKept">False where only errors and pushes are wanted: another value is then null. It counts at the value's beginning.</param>
    /// <exception cref="RedisException"><see cref="RedisFault.Protocol"/>. Nothing can be read after it.</exception>
    public bool TryRead(ref ReadOnlySequence<byte> buffer, bool isKept, out RespValue? value)
    {
        _isKept = _depth > 0 ? _isKept : isKept;
        while (_tokens.TryRead(ref buffer, out var token))
        {
            if (Take(token, out value))
            {
                return true;
            }
        }
        value = null;
        return false;
    }

    private bool Take(in RespToken token, out RespValue? value)
    {
        value = null;
        if (token.Kind is not (RespKind.Array or RespKind.Map or RespKind.Set or RespKind.Push or RespKind.Attribute))
        {
            value = Scalar(token);
            return Complete(ref value);
        }
        if (_depth == MaxDepth)
        {
            throw RespTokens.Malformed("lists within lists, too many of them");
        }
        _isKept |= token.Kind == RespKind.Push && _depth == 0;
        var count = (int)token.Number;
        if (count > 0)
        {
            _frames[_depth++] = new Frame(token.Kind, count, _isKept ? new List<RespValue>(Math.Min(count, FirstCapacity)) : null);
            return false;
        }
        if (token.Kind == RespKind.Attribute)
        {
            return false;
        }
        value = _isKept ? new RespValue(token.Kind) : null;
        return Complete(ref value);
    }

    /// <summary>Hands a whole value to the list that it is part of, and that one, if it is whole by it, to its own; true where a value stands alone.</summary>
    private bool Complete(ref RespValue? value)
    {
        while (_depth > 0)
        {
            ref var frame = ref _frames[_depth - 1];
            frame.Items?.Add(value!);
            if (--frame.Remaining > 0)
            {
                return false;
            }
            _depth--;
            if (frame.Kind == RespKind.Attribute)
            {
                frame.Items = null;
                return false;
            }
            value = frame.Items is null ? null : new RespValue(frame.Kind) { Items = frame.Items };
            frame.Items = null;
        }
        return true;
    }

    private RespValue? Scalar(in RespToken token) => token.Kind switch
    {
        RespKind.SimpleString or RespKind.BigNumber when _isKept => new RespValue(token.Kind) { Bytes = token.Line.ToArray() },
        RespKind.Error when _isKept || _depth == 0 => new RespValue(token.Kind) { Bytes = token.Line.ToArray() },
        RespKind.BulkString or RespKind.Verbatim when _isKept => new RespValue(token.Kind) { Bytes = token.Blob.ToArray() },
        RespKind.BlobError when _isKept || _depth == 0 => new RespValue(token.Kind) { Bytes = token.Blob.ToArray() },
        RespKind.Integer or RespKind.Boolean when _isKept => new RespValue(token.Kind) { Number = token.Number },
        RespKind.Double when _isKept => new RespValue(token.Kind) { Real = token.Real },
        RespKind.Null when _isKept => RespValue.Null,
        _ => null,
    };

    private struct Frame(RespKind kind, int remaining, List<RespValue>? items)
    {
        public readonly RespKind Kind = kind;
        public int Remaining = remaining;
        public List<RespValue>? Items = items;
    }
}
