using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// Writes the body of a message request. The prompt cache is marked at up to four positions: after the tools, after the system prompt, at
/// the end of the previous request, and at the end of this one for the next request.
/// </summary>
internal sealed partial class AnthropicRequest(ModelSpec spec)
{
    /// <summary>The API requires a limit. All its current models allow this one.</summary>
    private const int DefaultMaxTokens = 16_384;

    private const string JsonOnly = "Answer with one JSON object and nothing else.";

    /// <param name="Body">The body by property.</param>
    /// <param name="CallIds">The tool calls of the conversation.</param>
    /// <param name="Model">The model that is asked.</param>
    /// <param name="Prefix">The hash of everything that precedes thinking blocks of the answer. It is computed only if there are
    /// any.</param>
    /// <param name="HasThinking">True if the request contains thinking blocks.</param>
    public sealed record Written(
        IReadOnlyDictionary<string, JsonElement> Body,
        IReadOnlySet<string> CallIds,
        string Model,
        Lazy<string> Prefix,
        bool HasThinking
    );

    /// <summary>Determines what a rejected request must do differently.</summary>
    public static ServerDemand DemandIn(ServerError error, ChatOptions? options, bool isStream, ServerDemand known)
    {
        if (!DemandReader.ConcernsRequest(error))
        {
            return ServerDemand.None;
        }
        return isStream && DemandReader.RefusesStreams(error) ? ServerDemand.NoStream
            : DemandReader.Refuses(error, "cache_control") ? ServerDemand.NoCacheMarks
            : options?.ResponseFormat is ChatResponseFormatJson { Schema: not null }
            && (DemandReader.Refuses(error, "format") || DemandReader.Refuses(error, "output_config"))
                ? ServerDemand.NoAnswerForm
            : error.Names("system") && SystemText().IsMatch(error.Message) && !known.HasFlag(ServerDemand.SystemAsText)
                ? ServerDemand.SystemAsText
            // the order of turns already satisfies the API
            : DemandReader.OfMessages(error, known) & (ServerDemand.PlainCallIds | ServerDemand.NineCharacterCallIds);
    }

    /// <param name="messages">The conversation.</param>
    /// <param name="options">The options of the call.</param>
    /// <param name="demands">The known demands of the server.</param>
    /// <param name="withThinking">True to send back the thinking blocks that match.</param>
    public Written Write(IEnumerable<ChatMessage> messages, ChatOptions? options, ServerDemand demands, bool withThinking = true)
    {
        var conversation = AnthropicConversation.Of(messages, spec.Provider, demands);
        var model = options?.ModelId ?? spec.Model;
        var prefix = new Lazy<string>(() =>
            AnthropicPrefix.Settle(Head(conversation, options), conversation.Turns, withThinking ? model : null, spec.Provider)
        );
        if (conversation.HasThinking)
        {
            // Removes thinking blocks that do not match.
            _ = prefix.Value;
        }
        var json = JsonBytes.Element(
            (Request: this, conversation, options, demands),
            static (writer, it) => it.Request.Write(writer, it.conversation, it.options, it.demands)
        );
        var body = json.EnumerateObject().ToDictionary(property => property.Name, property => property.Value, StringComparer.Ordinal);
        return new Written(body, conversation.CallIds, model, prefix, conversation.HasThinking);
    }

    /// <summary>Writes everything that precedes the messages.</summary>
    private static byte[] Head(AnthropicConversation conversation, ChatOptions? options) =>
        JsonBytes.Write(
            (conversation, options),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                WriteTools(writer, it.options, hasMarks: true);
                WriteSystem(writer, Systems(it.conversation.System, it.options?.ResponseFormat), hasMarks: true);
                writer.WriteEndObject();
            }
        );

    private void Write(Utf8JsonWriter writer, AnthropicConversation conversation, ChatOptions? options, ServerDemand demands)
    {
        var hasMarks = !demands.HasFlag(ServerDemand.NoCacheMarks);
        var systems = Systems(conversation.System, options?.ResponseFormat);
        writer.WriteStartObject();
        writer.WriteString("model"u8, options?.ModelId ?? spec.Model);
        writer.WriteNumber("max_tokens"u8, options?.MaxOutputTokens ?? spec.MaxTokens ?? DefaultMaxTokens);
        if ((options?.Temperature ?? spec.Temperature) is { } temperature)
        {
            writer.WriteNumber("temperature"u8, Math.Clamp(temperature, 0, 1));
        }
        WriteTools(writer, options, hasMarks);
        WriteChoice(writer, options);
        if (demands.HasFlag(ServerDemand.SystemAsText) && systems.Count > 0)
        {
            writer.WriteString("system"u8, string.Join("\n\n", systems));
        }
        else
        {
            WriteSystem(writer, systems, hasMarks);
        }
        writer.WriteStartArray("messages"u8);
        new AnthropicMessages(writer, spec.Provider).Write(conversation.Turns, hasMarks);
        writer.WriteEndArray();
        WriteOutput(writer, demands.HasFlag(ServerDemand.NoAnswerForm) ? null : options?.ResponseFormat);
        writer.WriteEndObject();
    }

    internal static void WriteCacheMark(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("cache_control"u8);
        writer.WriteString("type"u8, "ephemeral"u8);
        writer.WriteEndObject();
    }

    private static List<string> Systems(IReadOnlyList<string> texts, ChatResponseFormat? format) =>
        [.. texts, .. format is ChatResponseFormatJson { Schema: null } ? (IEnumerable<string>)[JsonOnly] : []];

    private static void WriteSystem(Utf8JsonWriter writer, List<string> all, bool hasMarks)
    {
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
            if (hasMarks && ReferenceEquals(text, all[^1]))
            {
                WriteCacheMark(writer);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteTools(Utf8JsonWriter writer, ChatOptions? options, bool hasMarks)
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
            if (hasMarks && tool == tools[^1])
            {
                WriteCacheMark(writer);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteChoice(Utf8JsonWriter writer, ChatOptions? options)
    {
        var (type, name) = options?.Tools is { Count: > 0 }
            ? options.ToolMode switch
            {
                NoneChatToolMode => ("none", null),
                RequiredChatToolMode { RequiredFunctionName: { } required } => ("tool", required),
                RequiredChatToolMode => ("any", null),
                _ => (null, default(string)),
            }
            : default;
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

    [GeneratedRegex("valid string|be a string|expected (a )?string|type: sequence", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex SystemText();
}
