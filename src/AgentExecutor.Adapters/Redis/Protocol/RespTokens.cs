using System.Buffers;
using System.Buffers.Text;
using System.Globalization;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>A value without parts, or the beginning of one with parts. Its text lies in the buffer that it was read from.</summary>
/// <param name="kind">What it is.</param>
/// <param name="number">An integer, a boolean, or how many values follow.</param>
internal readonly ref struct RespToken(RespKind kind, long number = 0)
{
    public RespKind Kind { get; } = kind;

    public long Number { get; } = number;

    public double Real { get; init; }

    public ReadOnlySpan<byte> Line { get; init; }

    public ReadOnlySequence<byte> Blob { get; init; }
}

/// <summary>
/// Cuts what a server sends into tokens. It remembers how far it looked for a line's end, and a blob's announced size, so each byte is looked at once in
/// however small pieces it comes; and nothing is set aside for a blob before all of it is here.
/// </summary>
internal sealed class RespTokens
{
    public const int MaxLine = 64 * 1024;

    /// <summary>What servers hold to be the largest string.</summary>
    public const int MaxBlob = 512 * 1024 * 1024;

    /// <summary>Values in one array: we ask for long lists by the page.</summary>
    public const int MaxItems = 1024 * 1024;

    private const int NoBlob = -1;

    private long _scanned;
    private int _blobSize = NoBlob;
    private RespKind _blobKind;

    /// <summary>Takes one token off the buffer's front; false where it is not all there. Then the next call is to have the same bytes and more.</summary>
    /// <exception cref="RedisException"><see cref="RedisFault.Protocol"/>.</exception>
    public bool TryRead(ref ReadOnlySequence<byte> buffer, out RespToken token)
    {
        if (_blobSize == NoBlob)
        {
            if (!TryReadLine(ref buffer, out var line))
            {
                token = default;
                return false;
            }
            token = Parse(line);
            if (_blobSize == NoBlob)
            {
                return true;
            }
        }
        return TryReadBlob(ref buffer, out token);
    }

    public static RedisException Malformed(string what) => new(RedisFault.Protocol, $"the Redis server sent {what}");

    private bool TryReadLine(ref ReadOnlySequence<byte> buffer, out ReadOnlySpan<byte> line)
    {
        var first = buffer.FirstSpan;
        if (_scanned == 0 && first.IndexOf((byte)'\n') is >= 0 and <= MaxLine and var at)
        {
            line = WithoutEnd(first[..at]);
            buffer = buffer.Slice(at + 1);
            return true;
        }
        if (buffer.Slice(_scanned).PositionOf((byte)'\n') is not { } end)
        {
            _scanned = buffer.Length;
            line = default;
            return buffer.Length > MaxLine ? throw Malformed("a line without an end") : false;
        }
        _scanned = 0;
        var whole = buffer.Slice(0, end);
        line = WithoutEnd(whole.Length > MaxLine ? throw Malformed("a line that is too long") : whole.IsSingleSegment ? whole.FirstSpan : whole.ToArray());
        buffer = buffer.Slice(buffer.GetPosition(1, end));
        return true;
    }

    private static ReadOnlySpan<byte> WithoutEnd(ReadOnlySpan<byte> line) =>
        line is [_, .., (byte)'\r'] ? line[..^1] : throw Malformed("a line that is empty or does not end as it should");

    private RespToken Parse(ReadOnlySpan<byte> line)
    {
        var text = line[1..];
        return line[0] switch
        {
            (byte)'+' => new RespToken(RespKind.SimpleString) { Line = text },
            (byte)'-' => new RespToken(RespKind.Error) { Line = text },
            (byte)':' => new RespToken(RespKind.Integer, Integer(text)),
            (byte)'$' => Blob(RespKind.BulkString, text),
            (byte)'!' => Blob(RespKind.BlobError, text),
            (byte)'=' => Blob(RespKind.Verbatim, text),
            (byte)'*' => Parts(RespKind.Array, text),
            (byte)'%' => Parts(RespKind.Map, text),
            (byte)'~' => Parts(RespKind.Set, text),
            (byte)'>' => Parts(RespKind.Push, text),
            (byte)'|' => Parts(RespKind.Attribute, text),
            (byte)'_' when text.IsEmpty => new RespToken(RespKind.Null),
            (byte)'#' when text is [(byte)'t' or (byte)'f'] => new RespToken(RespKind.Boolean, text[0] == 't' ? 1 : 0),
            (byte)',' => new RespToken(RespKind.Double) { Real = Real(text) },
            (byte)'(' when IsWholeNumber(text) => new RespToken(RespKind.BigNumber) { Line = text },
            (byte)';' or (byte)'.' => throw Streamed(),
            _ => throw Malformed("what is no RESP"),
        };
    }

    private RespToken Blob(RespKind kind, ReadOnlySpan<byte> text)
    {
        var size = Length(text);
        if (size == NoBlob)
        {
            return new RespToken(RespKind.Null);
        }
        (_blobKind, _blobSize) = (kind, size <= MaxBlob ? (int)size : throw Malformed("a string that is too long"));
        return default;
    }

    private static RespToken Parts(RespKind kind, ReadOnlySpan<byte> text)
    {
        var count = Length(text);
        if (count < 0)
        {
            return kind == RespKind.Array ? new RespToken(RespKind.Null) : throw Malformed("a negative length");
        }
        var items = kind is RespKind.Map or RespKind.Attribute ? count * 2 : count;
        return count <= MaxItems && items <= MaxItems ? new RespToken(kind, items) : throw Malformed("a list that is too long");
    }

    private bool TryReadBlob(ref ReadOnlySequence<byte> buffer, out RespToken token)
    {
        token = default;
        if (buffer.Length < _blobSize + 2L)
        {
            return false;
        }
        Span<byte> end = stackalloc byte[2];
        buffer.Slice(_blobSize, 2).CopyTo(end);
        if (!end.SequenceEqual("\r\n"u8))
        {
            throw Malformed("a string that does not end where it should");
        }
        token = new RespToken(_blobKind) { Blob = Content(buffer.Slice(0, _blobSize)) };
        buffer = buffer.Slice(_blobSize + 2L);
        _blobSize = NoBlob;
        return true;
    }

    /// <summary>A verbatim string has three letters and a colon before its text, to say how it is to be shown.</summary>
    private ReadOnlySequence<byte> Content(ReadOnlySequence<byte> blob)
    {
        if (_blobKind != RespKind.Verbatim)
        {
            return blob;
        }
        return blob.Length >= 4 && blob.Slice(3, 1).ToArray() is [(byte)':'] ? blob.Slice(4) : throw Malformed("a verbatim string without its format");
    }

    /// <summary>-1 for a null.</summary>
    private static long Length(ReadOnlySpan<byte> text) => text is [(byte)'?']
        ? throw Streamed()
        : Integer(text) is >= -1 and var length ? length : throw Malformed("a negative length");

    private static long Integer(ReadOnlySpan<byte> text) =>
        Utf8Parser.TryParse(text, out long number, out var used) && used == text.Length ? number : throw Malformed("a number that is none");

    private static double Real(ReadOnlySpan<byte> text) => text switch
    {
        _ when text.SequenceEqual("inf"u8) => double.PositiveInfinity,
        _ when text.SequenceEqual("-inf"u8) => double.NegativeInfinity,
        _ when text.SequenceEqual("nan"u8) => double.NaN,
        _ => double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var real)
            ? real
            : throw Malformed("a number that is none"),
    };

    private static bool IsWholeNumber(ReadOnlySpan<byte> text)
    {
        var digits = text is [(byte)'-' or (byte)'+', ..] ? text[1..] : text;
        return digits.Length > 0 && !digits.ContainsAnyExceptInRange((byte)'0', (byte)'9');
    }

    private static RedisException Streamed() => Malformed("a value of unknown length, which we do not read");
}
