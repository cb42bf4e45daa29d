using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// Reads what a server sends: a control line, and after MSG and HMSG so many bytes and a line end. It keeps the parsed line between two calls, so a large
/// payload that comes in pieces costs one look at its line, and nothing is set aside for a payload before all of it is here.
/// </summary>
internal sealed class NatsParser
{
    /// <summary>An INFO lists every server of a cluster, so lines may be longer than the 4 KiB that a server takes.</summary>
    public const int MaxLine = 64 * 1024;

    /// <summary>The most that any server can be set to, with room for headers.</summary>
    public const int MaxPayload = 72 * 1024 * 1024;

    private Pending _pending;
    private bool _inMessage;

    /// <summary>Takes one operation off the buffer's front; false where it is not all there yet.</summary>
    /// <exception cref="NatsException"><see cref="NatsFault.Protocol"/>.</exception>
    public bool TryRead(ref ReadOnlySequence<byte> buffer, out NatsOp op)
    {
        if (!_inMessage)
        {
            if (!TryReadLine(ref buffer, out var line))
            {
                op = default;
                return false;
            }
            var simple = ParseLine(line);
            if (simple is { } done)
            {
                op = done;
                return true;
            }
        }
        return TryReadMessage(ref buffer, out op);
    }

    private static bool TryReadLine(ref ReadOnlySequence<byte> buffer, out ReadOnlySpan<byte> line)
    {
        line = default;
        if (buffer.PositionOf((byte)'\n') is not { } end)
        {
            return buffer.Length > MaxLine ? throw Malformed("a line without an end") : false;
        }
        var whole = buffer.Slice(0, end);
        if (whole.Length > MaxLine)
        {
            throw Malformed("a line that is too long");
        }
        line = whole.IsSingleSegment ? whole.FirstSpan : whole.ToArray();
        line = line is [.. var text, (byte)'\r'] ? text : line;
        buffer = buffer.Slice(buffer.GetPosition(1, end));
        return true;
    }

    /// <summary>Null where a payload follows.</summary>
    private NatsOp? ParseLine(ReadOnlySpan<byte> line)
    {
        var name = NextToken(ref line);
        if (Ascii.EqualsIgnoreCase(name, "MSG"u8) || Ascii.EqualsIgnoreCase(name, "HMSG"u8))
        {
            _pending = ParseMessageLine(line, hasHeaders: name.Length == 4);
            _inMessage = true;
            return null;
        }
        return name switch
        {
            _ when Ascii.EqualsIgnoreCase(name, "PING"u8) => new NatsOp(NatsOpKind.Ping),
            _ when Ascii.EqualsIgnoreCase(name, "PONG"u8) => new NatsOp(NatsOpKind.Pong),
            _ when Ascii.EqualsIgnoreCase(name, "+OK"u8) => new NatsOp(NatsOpKind.Ok),
            _ when Ascii.EqualsIgnoreCase(name, "-ERR"u8) => new NatsOp(NatsOpKind.Error, Text: Encoding.UTF8.GetString(line).Trim().Trim('\'')),
            _ when Ascii.EqualsIgnoreCase(name, "INFO"u8) => new NatsOp(NatsOpKind.Info, Text: Encoding.UTF8.GetString(line).Trim()),
            _ => throw Malformed("an unknown operation"),
        };
    }

    private static Pending ParseMessageLine(ReadOnlySpan<byte> line, bool hasHeaders)
    {
        var subject = NextToken(ref line);
        var sid = NextToken(ref line);
        var third = NextToken(ref line);
        var fourth = NextToken(ref line);
        var fifth = NextToken(ref line);
        var hasReply = hasHeaders ? fifth.Length > 0 : fourth.Length > 0;
        var headerSize = !hasHeaders ? 0 : ParseSize(hasReply ? fourth : third);
        var size = hasHeaders ? ParseSize(hasReply ? fifth : fourth) : ParseSize(hasReply ? fourth : third);
        if (subject.IsEmpty || !Utf8Parser.TryParse(sid, out long id, out var used) || used != sid.Length || headerSize > size || line.Length > 0 || (!hasHeaders && fifth.Length > 0))
        {
            throw Malformed("a message line that cannot be read");
        }
        return new Pending(Encoding.UTF8.GetString(subject), id, hasReply ? Encoding.UTF8.GetString(third) : null, headerSize, size);
    }

    private bool TryReadMessage(ref ReadOnlySequence<byte> buffer, out NatsOp op)
    {
        op = default;
        if (buffer.Length < _pending.Size + 2L)
        {
            return false;
        }
        Span<byte> end = stackalloc byte[2];
        buffer.Slice(_pending.Size, 2).CopyTo(end);
        if (!end.SequenceEqual("\r\n"u8))
        {
            throw Malformed("a payload that does not end where it should");
        }
        var bytes = buffer.Slice(0, _pending.Size).ToArray();
        buffer = buffer.Slice(_pending.Size + 2L);
        var headers = _pending.HeaderSize == 0 ? NatsHeaders.Empty : NatsHeaders.Decode(bytes.AsSpan(0, _pending.HeaderSize));
        op = new NatsOp(NatsOpKind.Message, new NatsMessage(_pending.Subject, _pending.Sid, _pending.ReplyTo, headers, bytes.AsMemory(_pending.HeaderSize)));
        (_inMessage, _pending) = (false, default);
        return true;
    }

    private static ReadOnlySpan<byte> NextToken(ref ReadOnlySpan<byte> line)
    {
        line = line.TrimStart(" \t"u8);
        var end = line.IndexOfAny((byte)' ', (byte)'\t') is >= 0 and var space ? space : line.Length;
        var token = line[..end];
        line = line[end..];
        return token;
    }

    private static int ParseSize(ReadOnlySpan<byte> token) =>
        Utf8Parser.TryParse(token, out int size, out var used) && used == token.Length && size is >= 0 and <= MaxPayload ? size : throw Malformed("a size that is none");

    private static NatsException Malformed(string what) => new(NatsFault.Protocol, $"the NATS server sent {what}");

    private readonly record struct Pending(string Subject, long Sid, string? ReplyTo, int HeaderSize, int Size);
}
