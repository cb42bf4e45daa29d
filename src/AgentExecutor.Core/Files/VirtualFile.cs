using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Files;

/// <summary>A text file in a thread's state.</summary>
public sealed record VirtualFile(string Content, DateTimeOffset CreatedAt, DateTimeOffset ModifiedAt)
{
    public static void Write(Utf8JsonWriter writer, VirtualFile file)
    {
        writer.WriteStartObject();
        writer.WriteString("content"u8, file.Content);
        writer.WriteString("encoding"u8, "utf-8"u8);
        writer.WriteString("created_at"u8, file.CreatedAt);
        writer.WriteString("modified_at"u8, file.ModifiedAt);
        writer.WriteEndObject();
    }

    /// <summary>Reads an object with <c>content</c> (a string, or a list of lines as older versions wrote it), or a plain string.</summary>
    /// <exception cref="FaultException">The JSON has a different format (<see cref="FaultCodes.InvalidUpdate"/>).</exception>
    public static VirtualFile Read(string path, JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.String)
        {
            return new VirtualFile(WellFormedText.Of(json), default, default);
        }
        return json.Property("content") switch
        {
            { ValueKind: JsonValueKind.String } text => new VirtualFile(
                WellFormedText.Of(text),
                Time(json, "created_at"),
                Time(json, "modified_at")
            ),
            { ValueKind: JsonValueKind.Array } lines => new VirtualFile(Joined(lines), Time(json, "created_at"), Time(json, "modified_at")),
            _ => throw new FaultException(
                FaultCodes.InvalidUpdate,
                $"the file '{path}' has no text in 'content'",
                """write a file as {"content": "..."}"""
            ),
        };
    }

    private static string Joined(JsonElement lines) => string.Join('\n', lines.EnumerateArray().Select(JsonBytes.Display));

    private static DateTimeOffset Time(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.String } time && time.TryGetDateTimeOffset(out var value) ? value : default;
}
