using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>Reads a message, as a whole or as events. Servers may send either form regardless of which one was requested.</summary>
internal sealed class AnthropicAnswer(ModelFaults faults, AnthropicRequest.Written request) : WireAnswer(faults, request.CallIds)
{
    private readonly Dictionary<int, OpenThinkingBlock> _openBlocks = [];

    // The input does not include tokens that were read from and written to the cache.
    private readonly TokenCounts _tokens = new();
    private bool _hasUnsigned,
        _hasWhole;

    /// <summary>The API counts tokens read from and written to its cache separately from other input tokens.</summary>
    public override UsageDetails? Usage =>
        new TokenCounts
        {
            Input = (_tokens.Input ?? _tokens.Written ?? _tokens.Cached) is null
                ? null
                : (_tokens.Input ?? 0) + (_tokens.Written ?? 0) + (_tokens.Cached ?? 0),
            Output = _tokens.Output,
            Total = _tokens.Total,
            Cached = _tokens.Cached,
            Written = _tokens.Written,
        }.ToUsage();

    protected override bool IsWhole => _hasWhole;

    public override IList<AIContent> Take(JsonElement json)
    {
        if (ServerError.OfEvent(json) is { } error)
        {
            throw Faults.Of(error);
        }
        var contents = new List<AIContent>();
        switch (json.TextProperty("type"))
        {
            case "message_start":
                TakeHead(json.Property("message") ?? default);
                TakeContent(json.Property("message") ?? default, contents);
                break;
            case "content_block_start":
                TakeBlock(json.Property("content_block") ?? default, Index(json), contents);
                break;
            case "content_block_delta":
                TakeDelta(json.Property("delta") ?? default, Index(json), contents);
                break;
            case "content_block_stop":
                EndThinkingBlock(Index(json), contents);
                break;
            case "message_delta":
                Count(json.Property("usage") ?? default);
                TakeStop(json.Property("delta") ?? default);
                break;
            case "message_stop":
                _hasWhole = true;
                break;
            case "message" or null when json.Property("content") is not null:
                TakeWhole(json, contents);
                break;
        }
        return contents;
    }

    /// <summary>A whole message that follows pieces repeats them.</summary>
    private void TakeWhole(JsonElement message, List<AIContent> contents)
    {
        TakeHead(message);
        TakeContent(message, contents);
        TakeStop(message);
        _hasWhole = true;
    }

    private void TakeContent(JsonElement message, List<AIContent> contents)
    {
        if (Text.Length > 0 || Calls.Count > 0 || message.Property("content") is not { } content)
        {
            return;
        }
        if (content.ValueKind == JsonValueKind.String)
        {
            AddText(WellFormedText.WithUnpairedSurrogates(content), contents);
            return;
        }
        var blocks = content.ValueKind == JsonValueKind.Array ? content.EnumerateArray().ToList() : [];
        for (var i = 0; i < blocks.Count; i++)
        {
            TakeBlock(blocks[i], i, contents);
            EndThinkingBlock(i, contents);
        }
    }

    private void TakeHead(JsonElement message)
    {
        ModelId = message.TextProperty("model") is { Length: > 0 } model ? model : ModelId;
        Count(message.Property("usage") ?? default);
    }

    private void TakeBlock(JsonElement block, int index, List<AIContent> contents)
    {
        switch (block.TextProperty("type"))
        {
            case "text":
                AddText(TextOf(block, "text"), contents);
                break;
            case "thinking":
                _openBlocks[index] = new OpenThinkingBlock(Calls.Count, new StringBuilder(block.TextProperty("signature")));
                AddReasoning(TextOf(block, "thinking"), contents);
                break;
            case "redacted_thinking" when block.TextProperty("data") is { Length: > 0 } data:
                Keep(new AnthropicThinking(request.Model, request.Prefix.Value, Calls.Count) { Redacted = data }, contents);
                break;
            case "tool_use":
                var call = Calls.Begin(index, block.TextProperty("id"), block.TextProperty("name"));
                call.InitialArguments =
                    block.Property("input") is not { } input ? null
                    : input.ValueKind == JsonValueKind.String ? WellFormedText.WithUnpairedSurrogates(input)
                    : JsonBytes.Display(input);
                break;
        }
    }

    private void TakeDelta(JsonElement delta, int index, List<AIContent> contents)
    {
        switch (delta.TextProperty("type"))
        {
            case "text_delta":
                AddText(TextOf(delta, "text"), contents);
                break;
            case "thinking_delta":
                AddReasoning(TextOf(delta, "thinking"), contents);
                break;
            case "signature_delta" when _openBlocks.TryGetValue(index, out var thought):
                thought.Signature.Append(delta.TextProperty("signature"));
                break;
            case "input_json_delta":
                Calls.Of(index, null, null).Append(delta.Property("partial_json"));
                break;
        }
    }

    private void TakeStop(JsonElement json)
    {
        if (json.TextProperty("stop_reason") is not { Length: > 0 } reason || reason is "null" or "none")
        {
            return;
        }
        FinishReason = reason switch
        {
            "max_tokens" or "length" or "model_context_window_exceeded" => ChatFinishReason.Length,
            "tool_use" or "tool_calls" => ChatFinishReason.ToolCalls,
            "refusal" => throw Faults.Refused(
                json.Property("stop_details")?.TextProperty("explanation") ?? WellFormedText.Of(Text.ToString())
            ),
            _ => ChatFinishReason.Stop,
        };
    }

    private static string? TextOf(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.String } text ? WellFormedText.WithUnpairedSurrogates(text) : null;

    /// <summary>
    /// Completes a thinking block. A block without a signature cannot be sent back, and neither can those after it, because their positions
    /// would change.
    /// </summary>
    private void EndThinkingBlock(int index, List<AIContent> contents)
    {
        if (!_openBlocks.Remove(index, out var thought))
        {
            return;
        }
        _hasUnsigned |= thought.Signature.Length == 0;
        Keep(
            new AnthropicThinking(request.Model, request.Prefix.Value, thought.CallsBefore) { Signature = thought.Signature.ToString() },
            contents
        );
    }

    private void Keep(AnthropicThinking block, List<AIContent> contents)
    {
        if (!_hasUnsigned)
        {
            contents.Add(new TextReasoningContent("") { ProtectedData = block.Encode() });
        }
    }

    /// <summary>The numbers refer to the whole answer so far; one that is omitted has not changed.</summary>
    private void Count(JsonElement usage)
    {
        _tokens.Input = TokenCounts.Count(usage, "input_tokens", "prompt_tokens") ?? _tokens.Input;
        _tokens.Written = TokenCounts.Count(usage, "cache_creation_input_tokens") ?? _tokens.Written;
        _tokens.Cached = TokenCounts.Count(usage, "cache_read_input_tokens") ?? _tokens.Cached;
        _tokens.Output = TokenCounts.Count(usage, "output_tokens", "completion_tokens") ?? _tokens.Output;
        _tokens.Total = TokenCounts.Count(usage, "total_tokens") ?? _tokens.Total;
    }

    private static int Index(JsonElement json) =>
        json.Property("index") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var index) ? index : 0;

    private sealed record OpenThinkingBlock(int CallsBefore, StringBuilder Signature);
}
