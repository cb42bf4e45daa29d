using System.Text.Json;
using System.Text.Unicode;

namespace AgentExecutor.Core.Messaging;

/// <summary>How messages are read as JSON: strictly, and to a bounded depth.</summary>
internal static class JsonText
{
    /// <summary>As deep as the parts are read later on by default, so that what was accepted can be read.</summary>
    public const int MaxDepth = 64;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static Utf8JsonReader Reader(ReadOnlyMemory<byte> json, int extraDepth = 0) =>
        new(json.Span, extraDepth == 0 ? Options : Options with { MaxDepth = MaxDepth + extraDepth });

    /// <summary>The message without a byte order mark, or null with a fault where it is no UTF-8 or empty: the reader looks at neither.</summary>
    public static ReadOnlyMemory<byte>? Check(ReadOnlyMemory<byte> json, string path, EventFaults faults)
    {
        if (json.Span.StartsWith(ByteOrderMark))
        {
            json = json[ByteOrderMark.Length..];
        }
        if (json.IsEmpty)
        {
            faults.Add(path, "it is empty", "send the event as JSON");
            return null;
        }
        if (!Utf8.IsValid(json.Span))
        {
            faults.Add(path, "it is not UTF-8", "send JSON in UTF-8");
            return null;
        }
        return json;
    }

    public static void AddTo(EventFaults faults, string path, JsonException exception) =>
        faults.Add(path, $"it is no JSON: {exception.Message}", $"mend the JSON at the place that it names; it may be nested {MaxDepth} deep");

    /// <summary>The text of a string or a member's name; null where an escape stands for half a surrogate pair, which is no character.</summary>
    public static string? TextOf(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Skips the value at which the reader stands; gives its bytes.</summary>
    public static ReadOnlyMemory<byte> Slice(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return json[start..(int)reader.BytesConsumed];
    }

    /// <summary>Reads all of it for its faults alone.</summary>
    public static bool IsValid(ReadOnlyMemory<byte> json, string path, EventFaults faults)
    {
        if (Check(json, path, faults) is not { } text)
        {
            return false;
        }
        try
        {
            var reader = Reader(text);
            while (reader.Read())
            {
                reader.Skip();
            }
            return true;
        }
        catch (JsonException exception)
        {
            AddTo(faults, path, exception);
            return false;
        }
    }
}
