using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>Reads a message, whole or as events. Tool calls are told when all of them are there. An answer with a stop reason is whole; one without has been cut.</summary>
internal sealed class AnthropicAnswer(ModelFaults faults, AnthropicRequest.Written request)
{
    private readonly CallDeltas _calls = new(request.CallIds);
    private readonly Dictionary<int, OpenThought> _thoughts = [];
    private readonly StringBuilder _said = new();
    private bool _hasUnsigned;
    private long _input, _written, _cached, _output;

    public ChatFinishReason? FinishReason { get; private set; }

    /// <summary>True from <see cref="End"/> on.</summary>
    public bool HasEnded { get; private set; }

    public string? ModelId { get; private set; }

    /// <summary>The API counts what was read from and written to its cache apart from other input.</summary>
    public UsageDetails Usage => new UsageDetails
    {
        InputTokenCount = _input + _written + _cached,
        OutputTokenCount = _output,
        TotalTokenCount = _input + _written + _cached + _output,
        CachedInputTokenCount = _cached,
    }.WithCacheWrite(_written);

    public IList<AIContent> TakeEvent(JsonElement json)
    {
        if (ServerError.OfEvent(json) is { } error)
        {
            throw faults.Of(error);
        }
        var contents = new List<AIContent>();
        switch (json.TextProperty("type"))
        {
            case "message_start":
                TakeHead(json.Property("message") ?? default);
                break;
            case "content_block_start":
                TakeBlock(json.Property("content_block") ?? default, Index(json), contents);
                break;
            case "content_block_delta":
                TakeDelta(json.Property("delta") ?? default, Index(json), contents);
                break;
            case "content_block_stop":
                EndThought(Index(json), contents);
                break;
            case "message_delta":
                Count(json.Property("usage") ?? default);
                TakeStop(json.Property("delta") ?? default);
                break;
        }
        return contents;
    }

    public IList<AIContent> TakeWhole(JsonElement message)
    {
        if (ServerError.OfEvent(message) is { } error)
        {
            throw faults.Of(error);
        }
        TakeHead(message);
        var contents = new List<AIContent>();
        var blocks = message.Property("content") is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray().ToList() : [];
        for (var i = 0; i < blocks.Count; i++)
        {
            TakeBlock(blocks[i], i, contents);
            EndThought(i, contents);
        }
        TakeStop(message);
        return [.. contents, .. End()];
    }

    /// <summary>The tool calls.</summary>
    public IList<AIContent> End()
    {
        if (FinishReason is null)
        {
            throw faults.Cut();
        }
        HasEnded = true;
        return [.. _calls.Read()];
    }

    private void TakeHead(JsonElement message)
    {
        ModelId = message.TextProperty("model") ?? ModelId;
        Count(message.Property("usage") ?? default);
    }

    private void TakeBlock(JsonElement block, int index, List<AIContent> contents)
    {
        switch (block.TextProperty("type"))
        {
            case "text":
                Say(block.TextProperty("text"), contents);
                break;
            case "thinking":
                _thoughts[index] = new OpenThought(_calls.Count, new StringBuilder(block.TextProperty("signature")));
                Think(block.TextProperty("thinking"), contents);
                break;
            case "redacted_thinking" when block.TextProperty("data") is { Length: > 0 } data:
                Keep(new AnthropicThinking(request.Model, request.Prefix.Value, _calls.Count) { Redacted = data }, contents);
                break;
            case "tool_use":
                var call = _calls.Begin(index, block.TextProperty("id"), block.TextProperty("name"));
                call.Whole = block.Property("input") is { } input ? JsonBytes.Display(input) : null;
                break;
        }
    }

    private void TakeDelta(JsonElement delta, int index, List<AIContent> contents)
    {
        switch (delta.TextProperty("type"))
        {
            case "text_delta":
                Say(delta.TextProperty("text"), contents);
                break;
            case "thinking_delta":
                Think(delta.TextProperty("thinking"), contents);
                break;
            case "signature_delta" when _thoughts.TryGetValue(index, out var thought):
                thought.Signature.Append(delta.TextProperty("signature"));
                break;
            case "input_json_delta":
                _calls.Of(index, null, null).Append(delta.Property("partial_json"));
                break;
        }
    }

    private void TakeStop(JsonElement json)
    {
        if (json.TextProperty("stop_reason") is not { Length: > 0 } reason)
        {
            return;
        }
        FinishReason = reason switch
        {
            "max_tokens" or "model_context_window_exceeded" => ChatFinishReason.Length,
            "tool_use" => ChatFinishReason.ToolCalls,
            "refusal" => throw faults.Refused(json.Property("stop_details")?.TextProperty("explanation") ?? _said.ToString()),
            _ => ChatFinishReason.Stop,
        };
    }

    private void Say(string? text, List<AIContent> contents)
    {
        if (text is { Length: > 0 })
        {
            _said.Append(text);
            contents.Add(new TextContent(text));
        }
    }

    private static void Think(string? text, List<AIContent> contents)
    {
        if (text is { Length: > 0 })
        {
            contents.Add(new TextReasoningContent(text));
        }
    }

    /// <summary>A block without a signature cannot go back; nor can those after it, whose places would be others.</summary>
    private void EndThought(int index, List<AIContent> contents)
    {
        if (!_thoughts.Remove(index, out var thought))
        {
            return;
        }
        _hasUnsigned |= thought.Signature.Length == 0;
        Keep(new AnthropicThinking(request.Model, request.Prefix.Value, thought.CallsBefore) { Signature = thought.Signature.ToString() }, contents);
    }

    private void Keep(AnthropicThinking block, List<AIContent> contents)
    {
        if (!_hasUnsigned)
        {
            contents.Add(new TextReasoningContent("") { ProtectedData = block.Encode() });
        }
    }

    /// <summary>Counts are of the whole answer so far; one that is left out stands.</summary>
    private void Count(JsonElement usage)
    {
        Take(usage, "input_tokens", ref _input);
        Take(usage, "cache_creation_input_tokens", ref _written);
        Take(usage, "cache_read_input_tokens", ref _cached);
        Take(usage, "output_tokens", ref _output);
    }

    private static void Take(JsonElement usage, string name, ref long count)
    {
        if (usage.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var given))
        {
            count = given;
        }
    }

    private static int Index(JsonElement json) => json.Property("index") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var index) ? index : 0;

    private sealed record OpenThought(int CallsBefore, StringBuilder Signature);
}
