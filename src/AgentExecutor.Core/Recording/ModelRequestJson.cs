using System.Security.Cryptography;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// The parts of a model call that determine its answer, as JSON: the agent, the model, the conversation, the tools and the options. Ids of
/// messages, the attempt, the time and the server's address are omitted, because they differ from run to run.
/// </summary>
internal static class ModelRequestJson
{
    public static JsonElement Of(ModelSpec spec, IEnumerable<ChatMessage> messages, ChatOptions? options) =>
        StoredJson.Parse(
            JsonBytes.Write((spec, messages, options), static (writer, it) => Write(writer, it.spec, it.messages, it.options))
        );

    private static void Write(Utf8JsonWriter writer, ModelSpec spec, IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        writer.WriteStartObject();
        writer.WriteString("provider"u8, spec.Provider);
        writer.WriteString("model"u8, options?.ModelId ?? spec.Model);
        writer.WriteStartArray("messages"u8);
        foreach (var message in messages)
        {
            Write(writer, message);
        }
        writer.WriteEndArray();
        // This is the definition's limit, not that of the options. The latter can be lower because of a budget, which depends on what else
        // has been spent by then.
        WriteNumber(writer, "max_tokens", spec.MaxTokens);
        if ((spec.ReasoningEffort ?? options?.Reasoning?.Effort?.ToString()) is { } effort)
        {
            writer.WriteString("reasoning_effort"u8, effort);
        }
        if (options is not null)
        {
            Write(writer, options);
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, ChatMessage message)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, message.Role.Value);
        WriteContents(writer, message.Contents);
        writer.WriteEndObject();
    }

    private static void WriteContents(Utf8JsonWriter writer, IEnumerable<AIContent> contents)
    {
        writer.WriteStartArray("content"u8);
        // Unprotected reasoning is omitted: most providers do not receive it, and it follows from the recorded answers.
        foreach (var content in contents.Where(content => content is not TextReasoningContent { ProtectedData: null }))
        {
            writer.WriteStartObject();
            Write(writer, content);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, AIContent content)
    {
        switch (content)
        {
            case TextReasoningContent thought:
                writer.WriteString("reasoning"u8, thought.Text);
                writer.WriteString("protected_data"u8, thought.ProtectedData);
                break;
            case TextContent text:
                writer.WriteString("text"u8, text.Text);
                break;
            case FunctionCallContent call:
                writer.WritePropertyName("tool_call"u8);
                ToolCallJson.Write(writer, call);
                break;
            case FunctionResultContent result:
                writer.WriteStartObject("tool_result"u8);
                writer.WriteString("id"u8, result.CallId);
                WriteResult(writer, result.Result);
                writer.WriteEndObject();
                break;
            case DataContent data:
                writer.WriteString("media_type"u8, data.MediaType);
                writer.WriteString("sha256"u8, Convert.ToHexStringLower(SHA256.HashData(data.Data.Span)));
                writer.WriteNumber("bytes"u8, data.Data.Length);
                break;
            case UriContent uri:
                writer.WriteString("media_type"u8, uri.MediaType);
                writer.WriteString("uri"u8, uri.Uri.OriginalString);
                break;
            case HostedFileContent file:
                writer.WriteString("file"u8, file.FileId);
                break;
            default:
                writer.WriteString("other"u8, content.ToString());
                break;
        }
    }

    private static void WriteResult(Utf8JsonWriter writer, object? result)
    {
        switch (result)
        {
            case IEnumerable<AIContent> parts:
                WriteContents(writer, parts);
                break;
            case JsonElement json:
                writer.WriteString("text"u8, JsonBytes.Display(json));
                break;
            default:
                writer.WriteString("text"u8, result?.ToString() ?? "");
                break;
        }
    }

    private static void Write(Utf8JsonWriter writer, ChatOptions options)
    {
        if (options is AgentChatOptions { Agent: { Length: > 0 } agent })
        {
            writer.WriteString("agent"u8, agent);
        }
        if (options.Instructions is { } instructions)
        {
            writer.WriteString("instructions"u8, instructions);
        }
        WriteSampling(writer, options);
        WriteToolMode(writer, options.ToolMode);
        if (options.AllowMultipleToolCalls is { } many)
        {
            writer.WriteBoolean("multiple_tool_calls"u8, many);
        }
        if (options.ResponseFormat is ChatResponseFormatJson format)
        {
            WriteFormat(writer, format);
        }
        if (options.Tools is { Count: > 0 } tools)
        {
            writer.WriteStartArray("tools"u8);
            foreach (var tool in tools)
            {
                Write(writer, tool);
            }
            writer.WriteEndArray();
        }
    }

    private static void WriteSampling(Utf8JsonWriter writer, ChatOptions options)
    {
        WriteNumber(writer, "temperature", options.Temperature);
        WriteNumber(writer, "top_p", options.TopP);
        WriteNumber(writer, "top_k", options.TopK);
        WriteNumber(writer, "frequency_penalty", options.FrequencyPenalty);
        WriteNumber(writer, "presence_penalty", options.PresencePenalty);
        WriteNumber(writer, "seed", options.Seed);
        if (options.StopSequences is { Count: > 0 } stops)
        {
            writer.WriteStartArray("stop"u8);
            foreach (var stop in stops)
            {
                writer.WriteStringValue(stop);
            }
            writer.WriteEndArray();
        }
    }

    /// <summary>The default (the model decides) is omitted, because stating it explicitly makes no difference.</summary>
    private static void WriteToolMode(Utf8JsonWriter writer, ChatToolMode? mode)
    {
        if (mode is NoneChatToolMode)
        {
            writer.WriteString("tool_mode"u8, "none"u8);
        }
        else if (mode is RequiredChatToolMode required)
        {
            writer.WriteString("tool_mode"u8, required.RequiredFunctionName is { } name ? $"required:{name}" : "required");
        }
    }

    private static void WriteFormat(Utf8JsonWriter writer, ChatResponseFormatJson format)
    {
        writer.WriteStartObject("response_format"u8);
        writer.WriteString("name"u8, format.SchemaName);
        if (format.SchemaDescription is { } description)
        {
            writer.WriteString("description"u8, description);
        }
        if (format.Schema is { } schema)
        {
            writer.WritePropertyName("schema"u8);
            schema.WriteTo(writer);
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, AITool tool)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, tool.Name);
        writer.WriteString("description"u8, tool.Description);
        if (tool is AIFunctionDeclaration { JsonSchema: { ValueKind: not JsonValueKind.Undefined } schema })
        {
            writer.WritePropertyName("parameters"u8);
            schema.WriteTo(writer);
        }
        writer.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter writer, string name, float? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
    }

    private static void WriteNumber(Utf8JsonWriter writer, string name, long? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
    }
}
