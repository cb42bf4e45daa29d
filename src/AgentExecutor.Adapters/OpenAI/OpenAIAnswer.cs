using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>
/// Reads a chat completion, whole or in chunks. Tool calls are told when all of them are there. An answer with a finish reason is whole, whether its end is
/// marked or not; one without has been cut.
/// </summary>
internal sealed class OpenAIAnswer(ModelFaults faults, IReadOnlySet<string> usedCallIds)
{
    private static readonly string[] ThoughtFields = ["reasoning_content", "reasoning"];

    private readonly CallDeltas _calls = new(usedCallIds);
    private readonly StringBuilder _refusal = new();
    private readonly StringBuilder _said = new();

    public ChatFinishReason? FinishReason { get; private set; }

    /// <summary>True from <see cref="End"/> on.</summary>
    public bool HasEnded { get; private set; }

    public string? ModelId { get; private set; }

    public UsageDetails? Usage { get; private set; }

    public IList<AIContent> TakeChunk(JsonElement chunk) => Take(chunk, "delta");

    public IList<AIContent> TakeWhole(JsonElement completion) => [.. Take(completion, "message"), .. End()];

    /// <summary>The tool calls.</summary>
    public IList<AIContent> End()
    {
        if (FinishReason is not { } reason)
        {
            throw faults.Cut();
        }
        if (_refusal.Length > 0)
        {
            throw faults.Refused(_refusal.ToString());
        }
        HasEnded = true;
        FinishReason = !_calls.IsEmpty && reason == ChatFinishReason.Stop ? ChatFinishReason.ToolCalls : reason;
        return [.. _calls.Read()];
    }

    private List<AIContent> Take(JsonElement json, string messageField)
    {
        if (ServerError.OfEvent(json) is { } error)
        {
            throw faults.Of(error);
        }
        ModelId ??= json.TextProperty("model") is { Length: > 0 } model ? model : null;
        Usage = ReadUsage(json.Property("usage")) ?? Usage;
        var contents = new List<AIContent>();
        if (json.Property("choices") is not { ValueKind: JsonValueKind.Array } choices || choices.GetArrayLength() == 0)
        {
            return contents; // usage alone, or a sign of life
        }
        var choice = choices[0];
        TakeMessage(choice.Property(messageField) ?? default, contents);
        TakeFinish(choice);
        return contents;
    }

    private void TakeMessage(JsonElement message, List<AIContent> contents)
    {
        if (ThoughtFields.Select(name => message.TextProperty(name)).FirstOrDefault(text => text is { Length: > 0 }) is { } thought)
        {
            contents.Add(new TextReasoningContent(thought));
        }
        if (message.Property("content") is { } content && TextOf(content) is { Length: > 0 } text)
        {
            contents.Add(new TextContent(text));
            _said.Append(text);
        }
        _refusal.Append(message.TextProperty("refusal"));
        if (message.Property("tool_calls") is { ValueKind: JsonValueKind.Array } calls)
        {
            foreach (var call in calls.EnumerateArray())
            {
                TakeCall(call);
            }
        }
    }

    private void TakeCall(JsonElement call)
    {
        var function = call.Property("function") ?? default;
        int? index = call.Property("index") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var given) ? given : null;
        _calls.Of(index, call.TextProperty("id"), function.TextProperty("name")).Append(function.Property("arguments"));
    }

    /// <summary>A list of parts is not by the book, but sent.</summary>
    private static string TextOf(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.String => content.GetString()!,
        JsonValueKind.Array => string.Concat(content.EnumerateArray().Select(part => part.TextProperty("text"))),
        _ => "",
    };

    private void TakeFinish(JsonElement choice)
    {
        if (choice.TextProperty("finish_reason") is not { Length: > 0 } reason)
        {
            return;
        }
        FinishReason = reason switch
        {
            "length" or "max_tokens" => ChatFinishReason.Length,
            "tool_calls" or "function_call" => ChatFinishReason.ToolCalls,
            "content_filter" => throw faults.Refused(_refusal.Length > 0 ? _refusal.ToString() : $"its content filter stopped the answer. {_said}"),
            "error" => throw faults.Unavailable("the answer ended in an error"),
            _ => ChatFinishReason.Stop,
        };
    }

    private static UsageDetails? ReadUsage(JsonElement? json) => json is { ValueKind: JsonValueKind.Object } usage ? new UsageDetails
    {
        InputTokenCount = Count(usage, "prompt_tokens"),
        OutputTokenCount = Count(usage, "completion_tokens"),
        TotalTokenCount = Count(usage, "total_tokens"),
        CachedInputTokenCount = Count(usage.Property("prompt_tokens_details") ?? default, "cached_tokens") ?? Count(usage, "prompt_cache_hit_tokens"),
        ReasoningTokenCount = Count(usage.Property("completion_tokens_details") ?? default, "reasoning_tokens"),
    }.WithCacheWrite(Count(usage.Property("prompt_tokens_details") ?? default, "cache_write_tokens") ?? 0) : null;

    private static long? Count(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var count) ? count : null;
}
