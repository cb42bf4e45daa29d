using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>Writes the body of a chat completion.</summary>
internal sealed partial class OpenAIRequest(ModelSpec spec)
{
    private const string EffortField = "reasoning_effort";

    /// <summary>Characters of a tool's description that OpenAI takes; what is longer is told in a message.</summary>
    private const int LongestDescription = 1024;

    /// <param name="Body">JSON.</param>
    /// <param name="CallIds">The tool calls that the conversation holds.</param>
    public sealed record Written(byte[] Body, IReadOnlySet<string> CallIds);

    /// <summary>What a refusal asks to do otherwise. An effort that the definition names is not given up on its own.</summary>
    public ServerDemand DemandIn(ServerError error, ChatOptions? options) => error switch
    {
        { Status: 400, Param: EffortField } when spec.ReasoningEffort is null && HasTools(options) && error.Message.Contains("'none'", StringComparison.Ordinal) =>
            ServerDemand.NoEffortWithTools,
        { Status: 400 } when spec.Provider != ModelServer.OpenAI && ThoughtsMissing().IsMatch(error.Message) => ServerDemand.ThoughtsWithCalls,
        _ => ServerDemand.None,
    };

    public Written Write(IEnumerable<ChatMessage> messages, ChatOptions? options, bool isStream, ServerDemand demands)
    {
        var callIds = new HashSet<string>(StringComparer.Ordinal);
        var body = JsonBytes.Write((Request: this, messages, options, isStream, callIds, demands), static (writer, it) =>
        {
            writer.WriteStartObject();
            writer.WriteString("model"u8, it.options?.ModelId ?? it.Request.Spec.Model);
            WriteStream(writer, it.isStream);
            it.Request.WriteLimits(writer, it.options);
            it.Request.WriteEffort(writer, it.options, it.demands);
            writer.WriteStartArray("messages"u8);
            var writing = new OpenAIMessages(writer, it.Request.Spec.Provider, it.callIds, it.demands.HasFlag(ServerDemand.ThoughtsWithCalls));
            writing.WriteSystem(it.Request.LongDescriptions(it.options));
            writing.Write(it.messages);
            writer.WriteEndArray();
            it.Request.WriteTools(writer, it.options);
            WriteFormat(writer, it.options?.ResponseFormat);
            writer.WriteEndObject();
        });
        return new Written(body, callIds);
    }

    private ModelSpec Spec => spec;

    private static void WriteStream(Utf8JsonWriter writer, bool isStream)
    {
        if (!isStream)
        {
            return;
        }
        writer.WriteBoolean("stream"u8, true);
        writer.WriteStartObject("stream_options"u8);
        writer.WriteBoolean("include_usage"u8, true);
        writer.WriteEndObject();
    }

    /// <summary>OpenAI's newer models refuse <c>max_tokens</c>; most other servers know nothing else.</summary>
    private void WriteLimits(Utf8JsonWriter writer, ChatOptions? options)
    {
        if ((options?.MaxOutputTokens ?? spec.MaxTokens) is { } tokens)
        {
            writer.WriteNumber(spec.Provider == ModelServer.OpenAI ? "max_completion_tokens"u8 : "max_tokens"u8, tokens);
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

    private string LongDescriptions(ChatOptions? options) => string.Join("\n\n", (options?.Tools ?? []).OfType<AIFunctionDeclaration>()
        .Where(IsTooLong).Select(tool => $"## The tool {tool.Name}\n{tool.Description}"));

    private bool IsTooLong(AIFunctionDeclaration tool) => spec.Provider == ModelServer.OpenAI && tool.Description.Length > LongestDescription;

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

    private static void WriteFormat(Utf8JsonWriter writer, ChatResponseFormat? format)
    {
        if (format is not ChatResponseFormatJson json)
        {
            return;
        }
        writer.WriteStartObject("response_format"u8);
        writer.WriteString("type"u8, json.Schema is null ? "json_object"u8 : "json_schema"u8);
        if (json.Schema is { } schema)
        {
            writer.WriteStartObject("json_schema"u8);
            writer.WriteString("name"u8, WireNames.Name(json.SchemaName ?? "answer"));
            if (json.SchemaDescription is { } description)
            {
                writer.WriteString("description"u8, description);
            }
            writer.WritePropertyName("schema"u8);
            schema.WriteTo(writer);
            writer.WriteBoolean("strict"u8, AnswerSchema.IsStrict(schema));
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    [GeneratedRegex("reasoning_content.*must be passed back|missing.*reasoning_content", RegexOptions.IgnoreCase)]
    private static partial Regex ThoughtsMissing();
}
