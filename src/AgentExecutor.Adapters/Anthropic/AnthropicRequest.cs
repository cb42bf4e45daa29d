using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// Writes the body of a message request. The prompt cache is marked in at most four places: after the tools, after the system prompt, where the request before
/// this one ended, and at the end, which the next one will find.
/// </summary>
internal sealed class AnthropicRequest(ModelSpec spec)
{
    /// <summary>The API asks for a limit; its current models all allow this.</summary>
    private const int DefaultMaxTokens = 16_384;

    private const string JsonOnly = "Answer with one JSON object and nothing else.";

    /// <param name="Body">By property.</param>
    /// <param name="CallIds">The tool calls that the conversation holds.</param>
    /// <param name="Model">The model that is asked.</param>
    /// <param name="Prefix">What thinking blocks of the answer follow; made only where there are some.</param>
    /// <param name="HasThinking">It gives thinking blocks back.</param>
    public sealed record Written(IReadOnlyDictionary<string, JsonElement> Body, IReadOnlySet<string> CallIds, string Model, Lazy<string> Prefix, bool HasThinking);

    /// <param name="messages">The conversation.</param>
    /// <param name="options">How to answer.</param>
    /// <param name="withThinking">Give back the thinking blocks that fit.</param>
    public Written Write(IEnumerable<ChatMessage> messages, ChatOptions? options, bool withThinking = true)
    {
        var conversation = AnthropicConversation.Of(messages);
        var model = options?.ModelId ?? spec.Model;
        var prefix = new Lazy<string>(() => AnthropicPrefix.Settle(Head(conversation, options), conversation.Turns, withThinking ? model : null, spec.Provider));
        if (conversation.HasThinking)
        {
            _ = prefix.Value; // takes those out that do not fit
        }
        var json = JsonBytes.Element((Request: this, conversation, options), static (writer, it) => it.Request.Write(writer, it.conversation, it.options));
        var body = json.EnumerateObject().ToDictionary(property => property.Name, property => property.Value, StringComparer.Ordinal);
        return new Written(body, conversation.CallIds, model, prefix, conversation.HasThinking);
    }

    /// <summary>What stands before the messages.</summary>
    private static byte[] Head(AnthropicConversation conversation, ChatOptions? options) => JsonBytes.Write((conversation, options), static (writer, it) =>
    {
        writer.WriteStartObject();
        WriteTools(writer, it.options);
        WriteSystem(writer, it.conversation.System, it.options?.ResponseFormat);
        writer.WriteEndObject();
    });

    private void Write(Utf8JsonWriter writer, AnthropicConversation conversation, ChatOptions? options)
    {
        writer.WriteStartObject();
        writer.WriteString("model"u8, options?.ModelId ?? spec.Model);
        writer.WriteNumber("max_tokens"u8, options?.MaxOutputTokens ?? spec.MaxTokens ?? DefaultMaxTokens);
        if ((options?.Temperature ?? spec.Temperature) is { } temperature)
        {
            writer.WriteNumber("temperature"u8, Math.Clamp(temperature, 0, 1));
        }
        WriteTools(writer, options);
        WriteChoice(writer, options);
        WriteSystem(writer, conversation.System, options?.ResponseFormat);
        writer.WriteStartArray("messages"u8);
        new AnthropicMessages(writer, spec.Provider).Write(conversation.Turns);
        writer.WriteEndArray();
        WriteOutput(writer, options?.ResponseFormat);
        writer.WriteEndObject();
    }

    internal static void WriteCacheMark(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("cache_control"u8);
        writer.WriteString("type"u8, "ephemeral"u8);
        writer.WriteEndObject();
    }

    private static void WriteSystem(Utf8JsonWriter writer, IReadOnlyList<string> texts, ChatResponseFormat? format)
    {
        List<string> all = [.. texts, .. format is ChatResponseFormatJson { Schema: null } ? (IEnumerable<string>)[JsonOnly] : []];
        if (all.Count == 0)
        {
            return;
        }
        writer.WriteStartArray("system"u8);
        foreach (var text in all)
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, "text"u8);
            writer.WriteString("text"u8, text);
            if (ReferenceEquals(text, all[^1]))
            {
                WriteCacheMark(writer);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteTools(Utf8JsonWriter writer, ChatOptions? options)
    {
        var tools = options?.Tools?.OfType<AIFunctionDeclaration>().ToList() ?? [];
        if (tools.Count == 0)
        {
            return;
        }
        writer.WriteStartArray("tools"u8);
        foreach (var tool in tools)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, tool.Name);
            writer.WriteString("description"u8, tool.Description);
            writer.WritePropertyName("input_schema"u8);
            ToolSchema.Write(writer, tool.JsonSchema);
            if (tool == tools[^1])
            {
                WriteCacheMark(writer);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteChoice(Utf8JsonWriter writer, ChatOptions? options)
    {
        var (type, name) = options?.Tools is { Count: > 0 } ? options.ToolMode switch
        {
            NoneChatToolMode => ("none", null),
            RequiredChatToolMode { RequiredFunctionName: { } required } => ("tool", required),
            RequiredChatToolMode => ("any", null),
            _ => (null, default(string)),
        } : default;
        if (type is null)
        {
            return;
        }
        writer.WriteStartObject("tool_choice"u8);
        writer.WriteString("type"u8, type);
        if (name is not null)
        {
            writer.WriteString("name"u8, name);
        }
        writer.WriteEndObject();
    }

    private void WriteOutput(Utf8JsonWriter writer, ChatResponseFormat? format)
    {
        var schema = (format as ChatResponseFormatJson)?.Schema;
        if (schema is null && spec.ReasoningEffort is null)
        {
            return;
        }
        writer.WriteStartObject("output_config"u8);
        if (spec.ReasoningEffort is { } effort)
        {
            writer.WriteString("effort"u8, effort);
        }
        if (schema is { } given)
        {
            WriteFormat(writer, given);
        }
        writer.WriteEndObject();
    }

    private static void WriteFormat(Utf8JsonWriter writer, JsonElement schema)
    {
        writer.WriteStartObject("format"u8);
        writer.WriteString("type"u8, "json_schema"u8);
        writer.WritePropertyName("schema"u8);
        AnswerSchema.Closed(schema).WriteTo(writer);
        writer.WriteEndObject();
    }
}
