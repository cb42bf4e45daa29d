using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>Thinking blocks as they are stored with their message: <c>"thinking_blocks": [{"data", "text"?, "text_before"?}]</c>.</summary>
internal static class ThinkingBlockJson
{
    /// <summary>A byte sequence that occurs only in messages with blocks: within a string, the quotes would be escaped.</summary>
    private static ReadOnlySpan<byte> Mark => "\"thinking_blocks\":["u8;

    private static ReadOnlySpan<byte> Member => "thinking_blocks"u8;

    public static void Write(Utf8JsonWriter writer, ImmutableArray<ThinkingBlock> blocks)
    {
        if (blocks.IsEmpty)
        {
            return;
        }
        writer.WriteStartArray(Member);
        foreach (var block in blocks)
        {
            writer.WriteStartObject();
            writer.WriteString("data"u8, block.Data);
            if (block.Text.Length > 0)
            {
                writer.WriteString("text"u8, block.Text);
            }
            if (block.TextBefore > 0)
            {
                writer.WriteNumber("text_before"u8, block.TextBefore);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    public static bool IsMember(JsonProperty property) => property.Value.ValueKind == JsonValueKind.Array && property.NameEquals(Member);

    public static ImmutableArray<ThinkingBlock> Read(JsonElement blocks) =>
        [
            .. blocks
                .EnumerateArray()
                .Where(block => block.TextProperty("data") is not null)
                .Select(block => new ThinkingBlock(
                    block.TextProperty("data")!,
                    block.TextProperty("text") ?? "",
                    Number(block.Property("text_before"))
                )),
        ];

    /// <summary>Removes the blocks from messages that are published as events, because subscribers have no use for them.</summary>
    /// <param name="json">An update or the value of a channel, as UTF-8 JSON.</param>
    public static ReadOnlyMemory<byte> Without(ReadOnlyMemory<byte> json) =>
        json.Span.IndexOf(Mark) < 0
            ? json
            : JsonBytes.Write(StoredJson.Parse(json.Span), static (writer, element) => WriteWithout(writer, element));

    private static void WriteWithout(Utf8JsonWriter writer, JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in json.EnumerateArray())
                {
                    WriteWithout(writer, item);
                }
                writer.WriteEndArray();
                break;
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var property in json.EnumerateObject().Where(static property => !IsMember(property)))
                {
                    property.WriteTo(writer);
                }
                writer.WriteEndObject();
                break;
            default:
                json.WriteTo(writer);
                break;
        }
    }

    private static int Number(JsonElement? json) =>
        json is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value) ? Math.Max(0, value) : 0;
}
