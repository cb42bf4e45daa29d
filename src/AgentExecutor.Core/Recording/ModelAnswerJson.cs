using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// A model's streamed answer as JSON: <c>{"updates": [{"contents": [...], "finish_reason"?, "model"?}], "fault"?}</c>. A content is one of
/// <c>text</c>, <c>reasoning</c>, <c>tool_call</c> and <c>usage</c> (with the provider's own <c>counts</c>), which are the only contents
/// that the runtime uses.
/// </summary>
internal static class ModelAnswerJson
{
    public static JsonElement Of(IReadOnlyList<ChatResponseUpdate> updates, RecordedFault? fault) =>
        StoredJson.Parse(JsonBytes.Write((updates, fault), static (writer, it) => Write(writer, it.updates, it.fault)));

    /// <summary>Reads the updates. Each call returns new objects, because callers may modify them.</summary>
    public static IEnumerable<ChatResponseUpdate> Read(JsonElement json) =>
        json.Property("updates") is { ValueKind: JsonValueKind.Array } updates ? updates.EnumerateArray().Select(ReadUpdate) : [];

    /// <summary>
    /// Returns the same answer. If a secret spans several chunks, they are merged, because the redaction could not find the secret in the
    /// individual chunks.
    /// </summary>
    public static IReadOnlyList<ChatResponseUpdate> MergeChunks(IReadOnlyList<ChatResponseUpdate> updates, Redaction redaction)
    {
        var contents = updates.SelectMany(update => update.Contents).ToList();
        var text = string.Concat(contents.OfType<TextContent>().Select(it => it.Text));
        var reasoning = string.Concat(contents.OfType<TextReasoningContent>().Select(it => it.Text));
        if (redaction.Clean(text) == text && redaction.Clean(reasoning) == reasoning)
        {
            return updates;
        }
        var last = updates.LastOrDefault(update => update.FinishReason is not null);
        return
        [
            new ChatResponseUpdate(
                ChatRole.Assistant,
                [
                    .. MergeReasoning(contents.OfType<TextReasoningContent>()),
                    new TextContent(text),
                    .. contents.Where(it => it is not (TextContent or TextReasoningContent)),
                ]
            )
            {
                ModelId = updates.LastOrDefault(update => update.ModelId is not null)?.ModelId,
                FinishReason = last?.FinishReason,
            },
        ];
    }

    /// <summary>Merges reasoning into one content per block that ends with protected data, and one for the rest.</summary>
    private static IEnumerable<TextReasoningContent> MergeReasoning(IEnumerable<TextReasoningContent> contents)
    {
        var text = new StringBuilder();
        foreach (var reasoning in contents)
        {
            text.Append(reasoning.Text);
            if (reasoning.ProtectedData is { } data)
            {
                yield return new TextReasoningContent(text.ToString()) { ProtectedData = data };
                text.Clear();
            }
        }
        if (text.Length > 0)
        {
            yield return new TextReasoningContent(text.ToString());
        }
    }

    private static void Write(Utf8JsonWriter writer, IReadOnlyList<ChatResponseUpdate> updates, RecordedFault? fault)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("updates"u8);
        foreach (var update in updates)
        {
            Write(writer, update);
        }
        writer.WriteEndArray();
        if (fault is not null)
        {
            writer.WritePropertyName("fault"u8);
            fault.Write(writer);
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, ChatResponseUpdate update)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("contents"u8);
        foreach (var content in update.Contents)
        {
            Write(writer, content);
        }
        writer.WriteEndArray();
        if (update.FinishReason is { } reason)
        {
            writer.WriteString("finish_reason"u8, reason.Value);
        }
        if (update.ModelId is { } model)
        {
            writer.WriteString("model"u8, model);
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, AIContent content)
    {
        if (content is not (TextContent or TextReasoningContent or FunctionCallContent or UsageContent))
        {
            return;
        }
        writer.WriteStartObject();
        switch (content)
        {
            case TextReasoningContent reasoning:
                writer.WriteString("reasoning"u8, reasoning.Text);
                if (reasoning.ProtectedData is { } data)
                {
                    writer.WriteString("protected_data"u8, data);
                }
                break;
            case TextContent text:
                writer.WriteString("text"u8, text.Text);
                break;
            case FunctionCallContent call:
                writer.WritePropertyName("tool_call"u8);
                ToolCallJson.Write(writer, call);
                break;
            case UsageContent usage:
                writer.WritePropertyName("usage"u8);
                MessageJson.WriteUsage(
                    writer,
                    new TokenUsage(
                        usage.Details.InputTokenCount ?? 0,
                        usage.Details.OutputTokenCount ?? 0,
                        usage.Details.CachedInputTokenCount ?? 0,
                        usage.Details.ReasoningTokenCount ?? 0
                    )
                );
                WriteCounts(writer, usage.Details.AdditionalCounts);
                break;
        }
        writer.WriteEndObject();
    }

    /// <summary>Writes additional counts of the provider, such as tokens written to a cache.</summary>
    private static void WriteCounts(Utf8JsonWriter writer, IEnumerable<KeyValuePair<string, long>>? counts)
    {
        if (counts is not null)
        {
            writer.WriteStartObject("counts"u8);
            foreach (var (name, count) in counts)
            {
                writer.WriteNumber(name, count);
            }
            writer.WriteEndObject();
        }
    }

    private static ChatResponseUpdate ReadUpdate(JsonElement json) =>
        new(
            ChatRole.Assistant,
            [
                .. json.Property("contents") is { ValueKind: JsonValueKind.Array } contents
                    ? contents.EnumerateArray().Select(ReadContent).OfType<AIContent>()
                    : [],
            ]
        )
        {
            FinishReason = json.TextProperty("finish_reason") is { } reason ? new ChatFinishReason(reason) : null,
            ModelId = json.TextProperty("model"),
        };

    private static AIContent? ReadContent(JsonElement json)
    {
        if (json.TextProperty("reasoning") is { } reasoning)
        {
            return new TextReasoningContent(reasoning) { ProtectedData = json.TextProperty("protected_data") };
        }
        if (json.TextProperty("text") is { } text)
        {
            return new TextContent(text);
        }
        if (json.Property("tool_call") is { } call)
        {
            return ToolCallJson.Read(call);
        }
        return json.Property("usage") is { } usage ? new UsageContent(Details(MessageJson.ReadUsage(usage), ReadCounts(json))) : null;
    }

    private static AdditionalPropertiesDictionary<long>? ReadCounts(JsonElement json) =>
        json.Property("counts") is { ValueKind: JsonValueKind.Object } counts
            ? new AdditionalPropertiesDictionary<long>(
                counts
                    .EnumerateObject()
                    .Where(it => it.Value.ValueKind == JsonValueKind.Number && it.Value.TryGetInt64(out _))
                    .Select(it => KeyValuePair.Create(it.Name, it.Value.GetInt64()))
            )
            : null;

    private static UsageDetails Details(TokenUsage usage, AdditionalPropertiesDictionary<long>? counts) =>
        new()
        {
            InputTokenCount = usage.Input,
            OutputTokenCount = usage.Output,
            TotalTokenCount = usage.Total,
            CachedInputTokenCount = usage.CachedInput,
            ReasoningTokenCount = usage.Reasoning,
            AdditionalCounts = counts,
        };
}
