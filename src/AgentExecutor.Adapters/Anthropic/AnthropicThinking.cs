using System.Text.Json;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// The data for sending a thinking block back. The API accepts it only if the model, and everything that precedes the block, are unchanged.
/// </summary>
/// <param name="Model">The model that created the block.</param>
/// <param name="Prefix">The <see cref="AnthropicPrefix"/> of the request that created it.</param>
/// <param name="CallsBefore">The number of tool calls of its message that precede it.</param>
internal sealed record AnthropicThinking(string Model, string Prefix, int CallsBefore)
{
    private const string Maker = "anthropic";

    /// <summary>The signature of a block whose text can be read.</summary>
    public string? Signature { get; init; }

    /// <summary>The data of a block whose text the API withholds.</summary>
    public string? Redacted { get; init; }

    public string Encode() =>
        JsonBytes.WriteText(
            this,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("by"u8, Maker);
                writer.WriteString("model"u8, it.Model);
                writer.WriteString("prefix"u8, it.Prefix);
                if (it.CallsBefore > 0)
                {
                    writer.WriteNumber("calls_before"u8, it.CallsBefore);
                }
                writer.WriteString(it.Redacted is null ? "signature"u8 : "redacted"u8, it.Redacted ?? it.Signature);
                writer.WriteEndObject();
            }
        );

    /// <summary>Returns null if the content is not a thinking block of this provider.</summary>
    public static AnthropicThinking? Read(TextReasoningContent content)
    {
        if (content.ProtectedData is not { Length: > 0 } data)
        {
            return null;
        }
        try
        {
            var json = JsonElement.Parse(data);
            return json.TextProperty("by") == Maker && json.TextProperty("model") is { } model && json.TextProperty("prefix") is { } prefix
                ? new AnthropicThinking(
                    model,
                    prefix,
                    json.Property("calls_before") is { ValueKind: JsonValueKind.Number } calls && calls.TryGetInt32(out var count)
                        ? count
                        : 0
                )
                {
                    Signature = json.TextProperty("signature"),
                    Redacted = json.TextProperty("redacted"),
                }
                : null;
        }
        catch (JsonException)
        {
            // The block belongs to another provider.
            return null;
        }
    }

    public void Write(Utf8JsonWriter writer, string text)
    {
        if (Redacted is not null)
        {
            writer.WriteString("type"u8, "redacted_thinking"u8);
            writer.WriteString("data"u8, Redacted);
            return;
        }
        writer.WriteString("type"u8, "thinking"u8);
        writer.WriteString("thinking"u8, text);
        writer.WriteString("signature"u8, Signature);
    }
}

/// <summary>A thinking block at its position in a conversation.</summary>
internal sealed class ThinkingContent(AnthropicThinking block, string text) : AIContent
{
    public AnthropicThinking Block => block;

    public string Text => text;
}
