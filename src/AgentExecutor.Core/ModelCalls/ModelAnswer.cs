using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>One attempt's answer as it comes in, told to whoever watches.</summary>
internal sealed class ModelAnswer(string agent, ModelSpec spec, string messageId, GraphScope scope)
{
    /// <summary>No call takes more.</summary>
    private const long MostTokens = 10_000_000;

    private readonly StringBuilder _text = new();
    private readonly StringBuilder _reasoning = new();
    private readonly ImmutableArray<ToolCall>.Builder _calls = ImmutableArray.CreateBuilder<ToolCall>();
    private readonly ImmutableArray<ThinkingBlock>.Builder _thinking = ImmutableArray.CreateBuilder<ThinkingBlock>();
    private int _thoughtsKept;

    /// <summary>Some of it has come in.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>What the server reported of it, also where the answer then failed.</summary>
    public TokenUsage? Usage { get; private set; }

    /// <summary>The server has sent all of it.</summary>
    public bool HasEnded { get; private set; }

    public string? FinishReason { get; private set; }

    /// <summary>A content filter stopped it.</summary>
    public bool IsFiltered => FinishReason == ChatFinishReason.ContentFilter.Value;

    /// <summary>The model that the server says answered.</summary>
    public string ModelName { get; private set; } = spec.Model;

    public bool IsEmpty => _calls.Count == 0 && _text.ToString().AsSpan().IsWhiteSpace();

    public void Take(ChatResponseUpdate update)
    {
        FinishReason = update.FinishReason?.Value ?? FinishReason;
        ModelName = update.ModelId is { Length: > 0 } name ? name : ModelName;
        foreach (var content in update.Contents)
        {
            switch (content)
            {
                case TextReasoningContent thought:
                    Take(thought);
                    break;
                case TextContent { Text.Length: > 0 } text:
                    _text.Append(text.Text);
                    Show(text.Text, null, null);
                    break;
                case FunctionCallContent call:
                    _calls.Add(Read(call));
                    Show("", null, _calls[^1]);
                    break;
                case UsageContent usage:
                    Usage = Read(usage.Details);
                    break;
            }
        }
    }

    public void End() => HasEnded = true;

    /// <summary>What it took: where the server does not say, a guess, since nothing that is spent goes uncounted; null where nothing came of it, as of a request that was refused.</summary>
    public TokenUsage? Taken(long inputTokens) => Usage ?? (HasBegun || (HasEnded && !IsFiltered) ? Guess(inputTokens) : null);

    public Message ToMessage() => new()
    {
        Type = MessageType.Ai,
        Id = messageId,
        Text = _text.ToString(),
        Name = agent,
        ToolCalls = Calls(),
        Usage = Usage,
        FinishReason = FinishReason,
        Reasoning = _reasoning.Length > 0 ? _reasoning.ToString() : null,
        ThinkingBlocks = IsEmpty || _thinking.Sum(block => block.Length) > ThinkingBlock.MostOfMessage ? [] : _thinking.ToImmutable(),
        Model = new AnsweringModel(spec.Provider, ModelName),
    };

    public void SupersedeShown(string reason)
    {
        if (HasBegun)
        {
            Supersede(reason);
        }
    }

    public void Supersede(string reason) => scope.Session.Publish(new RunEvent.LlmSuperseded(agent, messageId, reason) { Namespace = scope.Namespace });

    /// <summary>Protected data ends a block: its text is what was thought since the one before it.</summary>
    private void Take(TextReasoningContent thought)
    {
        _reasoning.Append(thought.Text);
        if (thought.Text.Length > 0)
        {
            Show("", thought.Text, null);
        }
        if (thought.ProtectedData is { Length: > 0 } data)
        {
            _thinking.Add(new ThinkingBlock(data, _reasoning.ToString(_thoughtsKept, _reasoning.Length - _thoughtsKept), _text.Length));
            _thoughtsKept = _reasoning.Length;
        }
    }

    /// <summary>Where the answer was cut, a last call without arguments may have had some: it must not be made, and the model is told.</summary>
    private ImmutableArray<ToolCall> Calls()
    {
        if (FinishReason == ChatFinishReason.Length.Value && _calls is [.., { Arguments.ValueKind: JsonValueKind.Object } last] && !last.Arguments.EnumerateObject().Any())
        {
            _calls[^1] = last with { Arguments = JsonBytes.Text("") };
        }
        return _calls.ToImmutable();
    }

    private void Show(string text, string? reasoning, ToolCall? call)
    {
        HasBegun = true;
        scope.Session.Publish(new RunEvent.LlmStream(agent, messageId, text, reasoning, call) { Namespace = scope.Namespace });
    }

    private TokenUsage Guess(long inputTokens) =>
        new(inputTokens, TokenEstimate.Of(_text.Length + _reasoning.Length + _calls.Sum(static call => (long)call.Arguments.GetRawText().Length)));

    private static ToolCall Read(FunctionCallContent call) => new(
        call.CallId,
        call.Name,
        call.Exception is not null ? JsonBytes.Text(call.RawRepresentation?.ToString() ?? "") : Arguments(call.Arguments));

    private static JsonElement Arguments(IDictionary<string, object?>? arguments) => arguments is null or { Count: 0 }
        ? JsonElement.Parse("{}"u8)
        : JsonSerializer.SerializeToElement(arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)));

    /// <summary>What a server says of itself is not trusted far: it is charged to budgets that runs share.</summary>
    private static TokenUsage Read(UsageDetails details)
    {
        var input = Within(details.InputTokenCount, MostTokens);
        var output = Within(details.OutputTokenCount, MostTokens);
        var cached = Within(details.CachedInputTokenCount, input);
        return new TokenUsage(input, output, cached, Within(details.ReasoningTokenCount, output), Within(UsageCounts.CacheWrite(details), input - cached));
    }

    private static long Within(long? count, long most) => Math.Clamp(count ?? 0, 0, most);
}
