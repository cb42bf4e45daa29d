using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>Writes the body of a chat completion request.</summary>
internal sealed partial class OpenAIRequest(ModelSpec spec)
{
    private const string EffortField = "reasoning_effort";

    /// <summary>The fields that a request can have, except <c>stream_options</c>.</summary>
    private static readonly string[] OtherFields =
    [
        "model",
        "messages",
        "stream",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "tools",
        "tool_choice",
        "response_format",
        EffortField,
    ];

    /// <summary>The length of a tool description that OpenAI accepts. Longer descriptions are sent in a message.</summary>
    private const int MaxDescriptionLength = 1024;

    /// <param name="Body">The JSON body.</param>
    /// <param name="CallIds">The tool calls of the conversation.</param>
    public sealed record Written(byte[] Body, IReadOnlySet<string> CallIds);

    /// <summary>
    /// Determines what a rejected request must do differently. An effort or a temperature that the definition sets is never dropped.
    /// </summary>
    public ServerDemand DemandIn(ServerError error, ChatOptions? options, bool isStream, ServerDemand known)
    {
        if (
            error is { Status: 400, Param: EffortField }
            && spec.ReasoningEffort is null
            && HasTools(options)
            && error.Message.Contains("'none'", StringComparison.Ordinal)
        )
        {
            return ServerDemand.NoEffortWithTools;
        }
        if (error.Status == 400 && spec.Provider != ModelServer.OpenAI && MissingReasoning().IsMatch(error.Message))
        {
            return ServerDemand.ReasoningWithCalls;
        }
        if (!DemandReader.ConcernsRequest(error))
        {
            return ServerDemand.None;
        }
        var ofFields = OfFields(error, options, isStream && !known.HasFlag(ServerDemand.NoStream), known);
        return ofFields != ServerDemand.None ? ofFields : DemandReader.OfMessages(error, known);
    }

    private ServerDemand OfFields(ServerError error, ChatOptions? options, bool isStream, ServerDemand known)
    {
        var sendsStreamOptions = isStream && !known.HasFlag(ServerDemand.NoStreamOptions);
        if (sendsStreamOptions && (error.Names("stream_options") || error.Names("include_usage")))
        {
            return ServerDemand.NoStreamOptions;
        }
        if (isStream && DemandReader.RefusesStreams(error))
        {
            return ServerDemand.NoStream;
        }
        if (LimitOf(options) is not null && DemandReader.Refuses(error, LimitName(known)))
        {
            return ServerDemand.OtherLimitName;
        }
        if (
            options?.ResponseFormat is ChatResponseFormatJson format
            && OfFormat(error, format, known) is var form and not ServerDemand.None
        )
        {
            return form;
        }
        if (options?.ToolMode is NoneChatToolMode && HasTools(options) && DemandReader.Refuses(error, "tool_choice"))
        {
            return ServerDemand.NoToolsForNone;
        }
        var isStreamOptions = sendsStreamOptions && DemandReader.RefusesSomeField(error) && !Array.Exists(OtherFields, error.Names);
        return isStreamOptions ? ServerDemand.NoStreamOptions : ServerDemand.None;
    }

    /// <summary>
    /// Handles a rejected response format. The server need not enforce it, because the runtime checks the answer itself and the system
    /// prompt contains the schema.
    /// </summary>
    private static ServerDemand OfFormat(ServerError error, ChatResponseFormatJson format, ServerDemand known)
    {
        if (format.Schema is not null && !known.HasFlag(ServerDemand.NoStrict) && DemandReader.Refuses(error, "strict"))
        {
            return ServerDemand.NoStrict;
        }
        if (
            !DemandReader.Refuses(error, "response_format")
            && !DemandReader.Refuses(error, "json_schema")
            && !DemandReader.Refuses(error, "json_object")
        )
        {
            return ServerDemand.None;
        }
        return format.Schema is not null && !known.HasFlag(ServerDemand.NoAnswerSchema)
            ? ServerDemand.NoAnswerSchema
            : ServerDemand.NoAnswerForm;
    }

    public Written Write(IEnumerable<ChatMessage> messages, ChatOptions? options, bool isStream, ServerDemand demands)
    {
        var callIds = new CallIdMap(demands);
        var body = JsonBytes.Write(
            (Request: this, messages, options, isStream, callIds, demands),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("model"u8, it.options?.ModelId ?? it.Request.Spec.Model);
                WriteStream(writer, it.isStream, it.demands);
                it.Request.WriteLimits(writer, it.options, it.demands);
                it.Request.WriteEffort(writer, it.options, it.demands);
                writer.WriteStartArray("messages"u8);
                var messages = it.Request.LongDescriptions(it.options) is { Length: > 0 } more
                    ? it.messages.Prepend(new ChatMessage(ChatRole.System, more))
                    : it.messages;
                new OpenAIMessages(writer, it.Request.Spec.Provider, it.callIds, it.demands).Write(OpenAITurns.Of(messages, it.demands));
                writer.WriteEndArray();
                if (!(it.demands.HasFlag(ServerDemand.NoToolsForNone) && it.options?.ToolMode is NoneChatToolMode))
                {
                    it.Request.WriteTools(writer, it.options);
                }
                WriteFormat(writer, it.options?.ResponseFormat, it.demands);
                writer.WriteEndObject();
            }
        );
        return new Written(body, callIds.Given);
    }

    private ModelSpec Spec => spec;

    private static void WriteStream(Utf8JsonWriter writer, bool isStream, ServerDemand demands)
    {
        if (!isStream || demands.HasFlag(ServerDemand.NoStream))
        {
            return;
        }
        writer.WriteBoolean("stream"u8, true);
        if (!demands.HasFlag(ServerDemand.NoStreamOptions))
        {
            writer.WriteStartObject("stream_options"u8);
            writer.WriteBoolean("include_usage"u8, true);
            writer.WriteEndObject();
        }
    }

    private int? LimitOf(ChatOptions? options) => options?.MaxOutputTokens ?? spec.MaxTokens;

    /// <summary>Newer models of OpenAI reject <c>max_tokens</c>, while most other servers support nothing else.</summary>
    private string LimitName(ServerDemand demands) =>
        spec.Provider == ModelServer.OpenAI != demands.HasFlag(ServerDemand.OtherLimitName) ? "max_completion_tokens" : "max_tokens";

    private void WriteLimits(Utf8JsonWriter writer, ChatOptions? options, ServerDemand demands)
    {
        if (LimitOf(options) is { } tokens)
        {
            writer.WriteNumber(LimitName(demands), tokens);
        }
        if ((options?.Temperature ?? spec.Temperature) is { } temperature)
        {
            writer.WriteNumber("temperature"u8, temperature);
        }
    }

    private void WriteEffort(Utf8JsonWriter writer, ChatOptions? options, ServerDemand demands)
    {
        if (spec.ReasoningEffort is { } effort)
        {
            writer.WriteString(EffortField, effort);
        }
        else if (demands.HasFlag(ServerDemand.NoEffortWithTools) && HasTools(options))
        {
            writer.WriteString(EffortField, ReasoningEfforts.None);
        }
    }

    private static bool HasTools(ChatOptions? options) => options?.Tools?.OfType<AIFunctionDeclaration>().Any() ?? false;

    private string LongDescriptions(ChatOptions? options) =>
        string.Join(
            "\n\n",
            (options?.Tools ?? [])
                .OfType<AIFunctionDeclaration>()
                .Where(IsTooLong)
                .Select(tool => $"## The tool {tool.Name}\n{tool.Description}")
        );

    private bool IsTooLong(AIFunctionDeclaration tool) =>
        spec.Provider == ModelServer.OpenAI && tool.Description.Length > MaxDescriptionLength;

    private void WriteTools(Utf8JsonWriter writer, ChatOptions? options)
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
            writer.WriteString("type"u8, "function"u8);
            writer.WriteStartObject("function"u8);
            writer.WriteString("name"u8, tool.Name);
            writer.WriteString("description"u8, IsTooLong(tool) ? $"The system prompt describes {tool.Name}." : tool.Description);
            writer.WritePropertyName("parameters"u8);
            ToolSchema.Write(writer, tool.JsonSchema);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        WriteChoice(writer, options!.ToolMode);
    }

    private static void WriteChoice(Utf8JsonWriter writer, ChatToolMode? mode)
    {
        switch (mode)
        {
            case NoneChatToolMode:
                writer.WriteString("tool_choice"u8, "none"u8);
                break;
            case RequiredChatToolMode { RequiredFunctionName: { } name }:
                writer.WriteStartObject("tool_choice"u8);
                writer.WriteString("type"u8, "function"u8);
                writer.WriteStartObject("function"u8);
                writer.WriteString("name"u8, name);
                writer.WriteEndObject();
                writer.WriteEndObject();
                break;
            case RequiredChatToolMode:
                writer.WriteString("tool_choice"u8, "required"u8);
                break;
        }
    }

    private static void WriteFormat(Utf8JsonWriter writer, ChatResponseFormat? format, ServerDemand demands)
    {
        if (format is not ChatResponseFormatJson json || demands.HasFlag(ServerDemand.NoAnswerForm))
        {
            return;
        }
        var hasSchema = json.Schema is not null && !demands.HasFlag(ServerDemand.NoAnswerSchema);
        writer.WriteStartObject("response_format"u8);
        writer.WriteString("type"u8, hasSchema ? "json_schema"u8 : "json_object"u8);
        if (hasSchema && json.Schema is { } schema)
        {
            writer.WriteStartObject("json_schema"u8);
            writer.WriteString("name"u8, WireNames.Name(json.SchemaName ?? "answer"));
            if (json.SchemaDescription is { } description)
            {
                writer.WriteString("description"u8, description);
            }
            writer.WritePropertyName("schema"u8);
            schema.WriteTo(writer);
            if (!demands.HasFlag(ServerDemand.NoStrict))
            {
                writer.WriteBoolean("strict"u8, AnswerSchema.IsStrict(schema));
            }
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    [GeneratedRegex("reasoning_content.*must be passed back|missing.*reasoning_content", RegexOptions.IgnoreCase)]
    private static partial Regex MissingReasoning();
}
