using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>
/// Messages as JSON, in the format that LangGraph's message reducers accept:
/// <c>{"type":"ai","content":"...","id":"...","tool_calls":[...]}</c>. Reading also accepts <c>{"role","content"}</c>, the format of chat
/// APIs.
/// </summary>
public static class MessageJson
{
    public const string RemoveAllId = "__remove_all__";

    public static void Write(Utf8JsonWriter writer, Message message)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, NameOf(message.Type));
        if (message.Parts is { } parts)
        {
            writer.WritePropertyName("content"u8);
            parts.WriteTo(writer);
        }
        else
        {
            writer.WriteString("content"u8, message.Text);
        }
        writer.WriteString("id"u8, message.Id);
        WriteToolCalls(writer, message.ToolCalls);
        WriteOptional(writer, message);
        writer.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter writer, MessageUpdate update)
    {
        writer.WriteStartArray();
        foreach (var edit in update.Edits)
        {
            switch (edit)
            {
                case MessageEdit.Put put:
                    Write(writer, put.Message);
                    break;
                case MessageEdit.Remove remove:
                    WriteRemove(writer, remove.Id);
                    break;
                default:
                    WriteRemove(writer, RemoveAllId);
                    break;
            }
        }
        writer.WriteEndArray();
    }

    /// <summary>
    /// Reads an update: one message, or a list of messages and removals. A message without an id gets <paramref name="idPrefix"/> and its
    /// index as its id.
    /// </summary>
    /// <exception cref="FaultException">The JSON has a different format (<see cref="FaultCodes.InvalidUpdate"/>).</exception>
    public static MessageUpdate ReadUpdate(JsonElement json, string idPrefix)
    {
        if (json.ValueKind != JsonValueKind.Array)
        {
            return new MessageUpdate([ReadEdit(json, idPrefix, 0)]);
        }
        var edits = ImmutableArray.CreateBuilder<MessageEdit>(json.GetArrayLength());
        foreach (var item in json.EnumerateArray())
        {
            edits.Add(ReadEdit(item, idPrefix, edits.Count));
        }
        return new MessageUpdate(edits.MoveToImmutable());
    }

    public static string NameOf(MessageType type) =>
        type switch
        {
            MessageType.Human => "human",
            MessageType.Ai => "ai",
            MessageType.System => "system",
            _ => "tool",
        };

    private static MessageEdit ReadEdit(JsonElement json, string idPrefix, int index)
    {
        if (json.ValueKind == JsonValueKind.String)
        {
            return new MessageEdit.Put(Message.Human($"{idPrefix}-{index}", WellFormedText.Of(json)));
        }
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(index, $"is a {json.ValueKind}, not an object");
        }
        if (json.TextProperty("type") == "remove")
        {
            var id = json.TextProperty("id") ?? throw Invalid(index, "is a removal without an 'id'");
            return id == RemoveAllId ? new MessageEdit.RemoveAll() : new MessageEdit.Remove(id);
        }
        return new MessageEdit.Put(ReadMessage(json, idPrefix, index));
    }

    private static Message ReadMessage(JsonElement json, string idPrefix, int index)
    {
        var fields = new Fields();
        foreach (var property in json.EnumerateObject())
        {
            fields.Take(property); // a single pass over the properties is faster than looking each one up by name
        }
        return new Message
        {
            Type = TypeOf(fields.Type ?? fields.Role, index),
            Id = fields.Id is { Length: > 0 } id ? id : $"{idPrefix}-{index}",
            Text = fields.Content is { } given ? TextOf(given, index) : "",
            Parts = fields.Content is { ValueKind: JsonValueKind.Array } ? fields.Content : null,
            ToolCalls = fields.ToolCalls is { ValueKind: JsonValueKind.Array } calls ? ReadToolCalls(calls, index) : [],
            ToolCallId = fields.ToolCallId,
            Name = fields.Name,
            IsError = fields.Status == "error",
            Usage = fields.Usage is { } usage ? ReadUsage(usage) : null,
            FinishReason = fields.FinishReason ?? fields.Metadata?.TextProperty("finish_reason"),
            Model = fields.Metadata?.TextProperty("model_name") is { } model
                ? new AnsweringModel(fields.Metadata.Value.TextProperty("model_provider") ?? "", model)
                : null,
            Reasoning = fields.Reasoning,
            ThinkingBlocks = fields.Thinking is { } blocks ? ThinkingBlockJson.Read(blocks) : [],
        };
    }

    private struct Fields
    {
        public string? Type,
            Role,
            Id,
            ToolCallId,
            Name,
            Status,
            FinishReason,
            Reasoning;
        public JsonElement? Content,
            ToolCalls,
            Usage,
            Metadata,
            Thinking;

        public void Take(JsonProperty property)
        {
            var value = property.Value;
            switch (value.ValueKind)
            {
                case JsonValueKind.String when property.NameEquals("type"u8):
                    Type = WellFormedText.Of(value);
                    break;
                case JsonValueKind.String when property.NameEquals("id"u8):
                    Id = WellFormedText.Of(value);
                    break;
                case JsonValueKind.String when property.NameEquals("tool_call_id"u8):
                    ToolCallId = WellFormedText.Of(value);
                    break;
                case JsonValueKind.String when property.NameEquals("name"u8):
                    Name = WellFormedText.Of(value);
                    break;
                case JsonValueKind.String when property.NameEquals("role"u8):
                    Role = WellFormedText.Of(value);
                    break;
                case JsonValueKind.String when property.NameEquals("status"u8):
                    Status = WellFormedText.Of(value);
                    break;
                case JsonValueKind.String when property.NameEquals("finish_reason"u8):
                    FinishReason = WellFormedText.Of(value);
                    break;
                case JsonValueKind.String when property.NameEquals("reasoning"u8):
                    Reasoning = WellFormedText.Of(value);
                    break;
                case not JsonValueKind.Null when property.NameEquals("content"u8):
                    Content = InputJson.Repaired(value);
                    break;
                case JsonValueKind.Array when property.NameEquals("tool_calls"u8):
                    ToolCalls = value;
                    break;
                case JsonValueKind.Array when ThinkingBlockJson.IsMember(property):
                    Thinking = value;
                    break;
                case JsonValueKind.Object when property.NameEquals("usage_metadata"u8):
                    Usage = value;
                    break;
                case JsonValueKind.Object when property.NameEquals("response_metadata"u8):
                    Metadata = value;
                    break;
            }
        }
    }

    private static MessageType TypeOf(string? name, int index) =>
        name switch
        {
            "human" or "user" => MessageType.Human,
            "ai" or "assistant" => MessageType.Ai,
            "system" or "developer" => MessageType.System,
            "tool" => MessageType.Tool,
            null => throw Invalid(index, "has no 'role' (user, assistant, system or tool)"),
            _ => throw Invalid(index, $"has the unknown role '{name}'; use user, assistant, system or tool"),
        };

    private static string TextOf(JsonElement content, int index)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            return WellFormedText.Of(content);
        }
        if (content.ValueKind != JsonValueKind.Array)
        {
            throw Invalid(index, "has a 'content' that is neither a string nor a list of parts");
        }
        var text = new StringBuilder();
        foreach (var part in content.EnumerateArray())
        {
            text.Append(part.ValueKind == JsonValueKind.String ? WellFormedText.Of(part) : part.TextProperty("text"));
        }
        return text.ToString();
    }

    private static ImmutableArray<ToolCall> ReadToolCalls(JsonElement calls, int index)
    {
        var read = ImmutableArray.CreateBuilder<ToolCall>(calls.GetArrayLength());
        foreach (var call in calls.EnumerateArray())
        {
            read.Add(ReadToolCall(call) ?? throw Invalid(index, "has a tool call without 'id' and 'name'"));
        }
        return read.MoveToImmutable();
    }

    /// <summary>
    /// Reads a tool call in LangGraph's flat format (<c>name</c>, <c>args</c>) or in that of chat APIs (<c>function.name</c>,
    /// <c>function.arguments</c>).
    /// </summary>
    public static ToolCall? ReadToolCall(JsonElement call)
    {
        var function = call.Property("function") ?? call;
        return call.TextProperty("id") is { } id && function.TextProperty("name") is { } name
            ? new ToolCall(
                id,
                name,
                InputJson.Repaired(function.Property("args") ?? Parsed(function.Property("arguments")) ?? StoredJson.Parse("{}"u8)).Clone()
            )
            : null;
    }

    /// <summary>
    /// Chat APIs represent the arguments as JSON text. Text that is not valid JSON stays a string, so that the error can be reported to the
    /// model.
    /// </summary>
    private static JsonElement? Parsed(JsonElement? arguments)
    {
        if (arguments is not { ValueKind: JsonValueKind.String } text)
        {
            return arguments;
        }
        try
        {
            return InputJson.Parse(WellFormedText.WithUnpairedSurrogates(text));
        }
        catch (JsonException)
        {
            return text;
        }
    }

    public static void WriteToolCall(Utf8JsonWriter writer, ToolCall call)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, call.Name);
        writer.WritePropertyName("args"u8);
        call.Arguments.WriteTo(writer);
        writer.WriteString("id"u8, call.Id);
        writer.WriteString("type"u8, "tool_call"u8);
        writer.WriteEndObject();
    }

    private static void WriteToolCalls(Utf8JsonWriter writer, ImmutableArray<ToolCall> calls)
    {
        if (calls.IsEmpty)
        {
            return;
        }
        writer.WriteStartArray("tool_calls"u8);
        foreach (var call in calls)
        {
            WriteToolCall(writer, call);
        }
        writer.WriteEndArray();
    }

    private static void WriteOptional(Utf8JsonWriter writer, Message message)
    {
        WriteText(writer, "tool_call_id"u8, message.ToolCallId);
        WriteText(writer, "name"u8, message.Name);
        WriteText(writer, "status"u8, message.IsError ? "error" : null);
        if (message.Usage is { } usage)
        {
            writer.WritePropertyName("usage_metadata"u8);
            WriteUsage(writer, usage);
        }
        WriteText(writer, "finish_reason"u8, message.FinishReason);
        WriteText(writer, "reasoning"u8, message.Reasoning);
        ThinkingBlockJson.Write(writer, message.ThinkingBlocks);
        if (message.Model is { } model)
        {
            writer.WriteStartObject("response_metadata"u8);
            writer.WriteString("model_provider"u8, model.Provider);
            writer.WriteString("model_name"u8, model.Name);
            writer.WriteEndObject();
        }
    }

    public static void WriteUsage(Utf8JsonWriter writer, TokenUsage usage)
    {
        writer.WriteStartObject();
        writer.WriteNumber("input_tokens"u8, usage.Input);
        writer.WriteNumber("output_tokens"u8, usage.Output);
        writer.WriteNumber("total_tokens"u8, usage.Total);
        if (usage.CachedInput > 0 || usage.CacheWrite > 0)
        {
            writer.WriteStartObject("input_token_details"u8);
            writer.WriteNumber("cache_read"u8, usage.CachedInput);
            if (usage.CacheWrite > 0)
            {
                writer.WriteNumber("cache_creation"u8, usage.CacheWrite);
            }
            writer.WriteEndObject();
        }
        if (usage.Reasoning > 0)
        {
            writer.WriteStartObject("output_token_details"u8);
            writer.WriteNumber("reasoning"u8, usage.Reasoning);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    public static TokenUsage ReadUsage(JsonElement json) =>
        new(
            Count(json, "input_tokens"),
            Count(json, "output_tokens"),
            json.Property("input_token_details") is { } input ? Count(input, "cache_read") : 0,
            json.Property("output_token_details") is { } output ? Count(output, "reasoning") : 0,
            json.Property("input_token_details") is { } written ? Count(written, "cache_creation") : 0
        );

    private static long Count(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var count) ? count : 0;

    private static void WriteRemove(Utf8JsonWriter writer, string id)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, "remove"u8);
        writer.WriteString("id"u8, id);
        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }

    private static FaultException Invalid(int index, string what) =>
        new(FaultCodes.InvalidUpdate, $"message {index} {what}", """write messages as {"role": "user", "content": "..."}""");
}
