using System.Text.Json;
using System.Text.Unicode;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messaging;

/// <summary>Reads messages as JSON, strictly and with a limited depth.</summary>
internal static class JsonText
{
    /// <summary>Values are nested some levels below the top of their message, so they are within their own limit.</summary>
    public const int MaxDepth = InputJson.MaxDepth;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static Utf8JsonReader Reader(ReadOnlyMemory<byte> json, int extraDepth = 0) =>
        new(json.Span, extraDepth == 0 ? Options : Options with { MaxDepth = MaxDepth + extraDepth });

    /// <summary>
    /// Returns the message without a byte order mark. If it is empty or not UTF-8, which the JSON reader does not check, returns null and
    /// adds a fault.
    /// </summary>
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
        faults.Add(
            path,
            $"it is not valid JSON: {exception.Message}",
            $"correct the JSON at that position; at most {MaxDepth} levels may be nested"
        );

    /// <summary>
    /// Returns the text of a string or of a member's name, or null if an escape stands for half of a surrogate pair, which is not a
    /// character.
    /// </summary>
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

    /// <summary>Skips the current value of the reader and returns its bytes.</summary>
    public static ReadOnlyMemory<byte> Slice(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return json[start..(int)reader.BytesConsumed];
    }

    /// <summary>Reads the whole text and only reports its faults.</summary>
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
