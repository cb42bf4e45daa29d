using System.Buffers.Text;
using System.Text.Json;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Reads the type, the number and the attempt from an event's JSON. AgentExecutor writes
/// <c>{"event_type":"...","data":{...},"seq":N,"ts":"...","attempt":N}</c>, which may be large, so the two ends are examined first.
/// (Versions before this one wrote no attempt.) That is safe for any valid JSON: the last string contains no quote and no backslash, so
/// its quotes are its own, and everything from <c>},"seq":</c> on belongs to the object that the last brace closes. JSON with another
/// layout is read from beginning to end.
/// </summary>
internal static class EventHead
{
    /// <summary>Larger than <c>},"seq":N,"ts":"...","attempt":N}</c> can be.</summary>
    private const int LongestTail = 128;

    /// <summary>Applies only to JSON with another layout than AgentExecutor's.</summary>
    private const int MaxDepth = 512;

    /// <summary>
    /// Returns false if the JSON is not an event, or contains a line break, which would end a server-sent event too early.
    /// </summary>
    public static bool TryRead(ReadOnlyMemory<byte> json, out StreamEvent value)
    {
        value = default;
        var bytes = json.Span;
        if (bytes.ContainsAny((byte)'\n', (byte)'\r'))
        {
            return false;
        }
        if (TypeAtFront(bytes) is not { } type || !TryReadTail(bytes, out var sequence, out var attempt))
        {
            (type, sequence, attempt) = ReadWhole(bytes);
        }
        value = new StreamEvent(sequence, type ?? "", json) { Attempt = attempt };
        return type is not null && IsType(type) && sequence > 0;
    }

    /// <summary>Reads only the type. Returns null if the JSON is not an event.</summary>
    public static string? TypeOf(ReadOnlySpan<byte> json) =>
        !json.ContainsAny((byte)'\n', (byte)'\r') && (TypeAtFront(json) ?? ReadWhole(json).Type) is { } type && IsType(type) ? type : null;

    /// <summary>
    /// Accepts the types of newer versions too. Other programs can publish anything, and the type becomes a line of a server-sent event.
    /// </summary>
    private static bool IsType(string type) => type.Length > 0 && type.All(static it => char.IsAsciiLetterLower(it) || it == '_');

    private static string? TypeAtFront(ReadOnlySpan<byte> json)
    {
        var start = "{\"event_type\":\""u8;
        if (!json.StartsWith(start))
        {
            return null;
        }
        var rest = json[start.Length..];
        var end = rest[..Math.Min(rest.Length, LongestTail)].IndexOfAny((byte)'"', (byte)'\\');
        return end > 0 && rest[end] == '"' ? NameOf(rest[..end]) : null;
    }

    /// <summary>Reads only the attempt.</summary>
    public static long AttemptOf(ReadOnlySpan<byte> json) => TryReadTail(json, out _, out var attempt) ? attempt : ReadWhole(json).Attempt;

    private static bool TryReadTail(ReadOnlySpan<byte> json, out long sequence, out long attempt)
    {
        (sequence, attempt) = (0, 0);
        var tail = json[Math.Max(0, json.Length - LongestTail)..];
        var at = tail.LastIndexOf("},\"seq\":"u8);
        if (at < 0)
        {
            return false;
        }
        var rest = tail[(at + "},\"seq\":"u8.Length)..];
        if (!Utf8Parser.TryParse(rest, out sequence, out var digits) || rest[0] is < (byte)'1' or > (byte)'9')
        {
            return false;
        }
        var between = ",\"ts\":\""u8;
        rest = rest[digits..];
        return rest.StartsWith(between) && TryReadEnd(rest[between.Length..], out attempt);
    }

    /// <summary>Reads <c>..."}</c> or <c>...","attempt":N}</c>.</summary>
    private static bool TryReadEnd(ReadOnlySpan<byte> rest, out long attempt)
    {
        attempt = 0;
        var quote = rest.IndexOfAny((byte)'"', (byte)'\\');
        if (quote < 0 || rest[quote] != '"')
        {
            return false;
        }
        var last = rest[(quote + 1)..];
        var member = ",\"attempt\":"u8;
        return last is [(byte)'}']
            || (
                last.StartsWith(member)
                && last[member.Length] is >= (byte)'1' and <= (byte)'9'
                && Utf8Parser.TryParse(last[member.Length..], out attempt, out var digits)
                && last[(member.Length + digits)..] is [(byte)'}']
            );
    }

    private static (string? Type, long Sequence, long Attempt) ReadWhole(ReadOnlySpan<byte> json)
    {
        var (type, sequence, attempt) = ((string?)null, 0L, 0L);
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return (null, 0, 0);
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isType = reader.ValueTextEquals("event_type"u8);
                var isSequence = reader.ValueTextEquals("seq"u8);
                var isAttempt = reader.ValueTextEquals("attempt"u8);
                var isNumber = reader.Read() && reader.TokenType == JsonTokenType.Number;
                type = isType && reader.TokenType == JsonTokenType.String ? reader.GetString() : type;
                sequence = isSequence && isNumber && reader.TryGetInt64(out var number) ? number : sequence;
                attempt = isAttempt && isNumber && reader.TryGetInt64(out var token) ? token : attempt;
                reader.Skip();
            }
            // Throws if anything follows.
            reader.Read();
            return (type, sequence, attempt);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The text is not JSON, or one of its strings is not valid text.
            return (null, 0, 0);
        }
    }

    /// <summary>Returns the existing string for a known type, so that none is allocated for each event.</summary>
    private static string NameOf(ReadOnlySpan<byte> name)
    {
        foreach (var kind in EventKinds.All)
        {
            if (System.Text.Ascii.Equals(name, kind))
            {
                return kind;
            }
        }
        return System.Text.Encoding.UTF8.GetString(name);
    }
}
