using System.Buffers.Text;
using System.Text.Json;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Reads type and number of an event in its JSON. Ours is <c>{"event_type":"...","data":{...},"seq":N,"ts":"..."}</c> and may be large, so its two ends are looked at first.
/// That is safe in any valid JSON: the last string has no quote or backslash in it, so its quotes are its own, and everything from <c>},"seq":</c> on stands in the object
/// that the last brace closes. Other layouts are read from end to end.
/// </summary>
internal static class EventHead
{
    /// <summary>More than <c>},"seq":N,"ts":"..."}</c> takes.</summary>
    private const int LongestTail = 96;

    /// <summary>Deeper ones than ours are read to the end only where their layout is another.</summary>
    private const int MaxDepth = 512;

    /// <summary>False for what is none, or has a line break, which would end it early on its way to who watches.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> json, out StreamEvent value)
    {
        value = default;
        var bytes = json.Span;
        if (bytes.ContainsAny((byte)'\n', (byte)'\r'))
        {
            return false;
        }
        if (TypeAtFront(bytes) is not { } type || !TryReadTail(bytes, out var sequence))
        {
            (type, sequence) = ReadWhole(bytes);
        }
        value = new StreamEvent(sequence, type ?? "", json);
        return type is not null && IsType(type) && sequence > 0;
    }

    /// <summary>The type alone, of an event whose number is known; null for what is none.</summary>
    public static string? TypeOf(ReadOnlySpan<byte> json) =>
        !json.ContainsAny((byte)'\n', (byte)'\r') && (TypeAtFront(json) ?? ReadWhole(json).Type) is { } type && IsType(type) ? type : null;

    /// <summary>A name, also of a newer version's; a stranger's may hold anything, and it goes into a line of its own to who watches.</summary>
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

    private static bool TryReadTail(ReadOnlySpan<byte> json, out long sequence)
    {
        sequence = 0;
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
        return rest.StartsWith(between) && rest[between.Length..] is [.. var time, (byte)'"', (byte)'}'] && !time.ContainsAny((byte)'"', (byte)'\\');
    }

    private static (string? Type, long Sequence) ReadWhole(ReadOnlySpan<byte> json)
    {
        var (type, sequence) = ((string?)null, 0L);
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return (null, 0);
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var (isType, isSequence) = (reader.ValueTextEquals("event_type"u8), reader.ValueTextEquals("seq"u8));
                reader.Read();
                type = isType && reader.TokenType == JsonTokenType.String ? reader.GetString() : type;
                sequence = isSequence && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) ? number : sequence;
                reader.Skip();
            }
            reader.Read(); // nothing may follow
            return (type, sequence);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return (null, 0); // no JSON, or a string that is no text
        }
    }

    /// <summary>Ours are known by their one string.</summary>
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
