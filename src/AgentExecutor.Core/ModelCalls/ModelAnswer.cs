using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Collects the answer of one attempt while it is streamed, and publishes it as events.</summary>
internal sealed class ModelAnswer(string agent, ModelSpec spec, string messageId, GraphScope scope)
{
    /// <summary>An upper bound for the tokens of a call. A larger reported number is considered an error.</summary>
    private const long MaxTokens = 10_000_000;

    private readonly StringBuilder _text = new();
    private readonly StringBuilder _reasoning = new();
    private readonly ImmutableArray<ToolCall>.Builder _calls = ImmutableArray.CreateBuilder<ToolCall>();
    private readonly ImmutableArray<ThinkingBlock>.Builder _thinking = ImmutableArray.CreateBuilder<ThinkingBlock>();
    private UsageDetails? _reported;
    private int _reasoningStored;

    /// <summary>True if some part of the answer has arrived.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>
    /// The usage that the server reported, even if the answer failed afterwards; null if it reported no plausible numbers.
    /// </summary>
    public TokenUsage? Usage =>
        _reported is { } report
        && Plausible(report.InputTokenCount) is { } input
        && (Plausible(report.OutputTokenCount) ?? (IsEmpty ? 0 : null)) is { } output
            ? ToUsage(report, input, output)
            : null;

    /// <summary>True if the server has sent the complete answer.</summary>
    public bool HasEnded { get; private set; }

    public string? FinishReason { get; private set; }

    /// <summary>True if a content filter stopped the answer.</summary>
    public bool IsFiltered => FinishReason == ChatFinishReason.ContentFilter.Value;

    /// <summary>The model that produced the answer, as reported by the server.</summary>
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
                    _reported = usage.Details;
                    break;
            }
        }
    }

    public void End() => HasEnded = true;

    /// <summary>
    /// Returns the usage to charge for the call. Numbers that the server does not report, or that are not plausible, are estimated, so that
    /// no spending goes uncounted. Returns null if nothing was generated, for example because the request was refused.
    /// </summary>
    public TokenUsage? Taken(long inputTokens)
    {
        var counts = _reported;
        var anyCount = Plausible(counts?.InputTokenCount) ?? Plausible(counts?.OutputTokenCount) ?? Plausible(counts?.TotalTokenCount);
        if (counts is not { } report || anyCount is null)
        {
            return HasBegun || (HasEnded && !IsFiltered) ? new TokenUsage(inputTokens, EstimatedOutput) : null;
        }
        var (reported, total) = (Plausible(report.OutputTokenCount), Plausible(report.TotalTokenCount));
        var input =
            Plausible(report.InputTokenCount)
            ?? (total is { } all ? Math.Clamp(all - (reported ?? EstimatedOutput), 0, MaxTokens) : inputTokens);
        var output = reported ?? (total > input ? total.Value - input : EstimatedOutput);
        return ToUsage(report, input, output);
    }

    public Message ToMessage() =>
        new()
        {
            Type = MessageType.Ai,
            Id = messageId,
            Text = _text.ToString(),
            Name = agent,
            ToolCalls = Calls(),
            Usage = Usage,
            FinishReason = FinishReason,
            Reasoning = _reasoning.Length > 0 ? _reasoning.ToString() : null,
            ThinkingBlocks = IsEmpty || _thinking.Sum(block => block.Length) > ThinkingBlock.MaxPerMessage ? [] : _thinking.ToImmutable(),
            Model = new AnsweringModel(spec.Provider, ModelName),
        };

    public void SupersedeShown(string reason)
    {
        if (HasBegun)
        {
            Supersede(reason);
        }
    }

    public void Supersede(string reason) =>
        scope.Session.Publish(new RunEvent.LlmSuperseded(agent, messageId, reason) { Namespace = scope.Namespace });

    /// <summary>Protected data completes a thinking block, whose text is the reasoning since the previous block.</summary>
    private void Take(TextReasoningContent thought)
    {
        _reasoning.Append(thought.Text);
        if (thought.Text.Length > 0)
        {
            Show("", thought.Text, null);
        }
        if (thought.ProtectedData is { Length: > 0 } data)
        {
            _thinking.Add(
                new ThinkingBlock(data, _reasoning.ToString(_reasoningStored, _reasoning.Length - _reasoningStored), _text.Length)
            );
            _reasoningStored = _reasoning.Length;
        }
    }

    /// <summary>
    /// If the answer was cut off, the arguments of the last call may be missing. Such a call must not be made; its arguments become
    /// invalid, so that the model is informed.
    /// </summary>
    private ImmutableArray<ToolCall> Calls()
    {
        var isCut = FinishReason == ChatFinishReason.Length.Value;
        if (isCut && _calls is [.., { Arguments.ValueKind: JsonValueKind.Object } last] && !last.Arguments.EnumerateObject().Any())
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

    private long EstimatedOutput =>
        TokenEstimate.Of(
            _text.Length + _reasoning.Length + _calls.Sum(static call => call.Name.Length + (long)call.Arguments.GetRawText().Length)
        );

    private static ToolCall Read(FunctionCallContent call) =>
        new(
            WellFormedText.Of(call.CallId),
            WellFormedText.Of(call.Name),
            call.Exception is not null ? JsonBytes.Text(call.RawRepresentation?.ToString() ?? "") : Arguments(call.Arguments)
        );

    /// <summary>
    /// Returns the arguments as an object. If they are nested too deeply to be stored, returns them as a string, which no tool accepts, so
    /// that the model learns the reason.
    /// </summary>
    private static JsonElement Arguments(IDictionary<string, object?>? arguments)
    {
        var json = JsonBytes.Element(arguments ?? new Dictionary<string, object?>(), WriteArguments);
        return InputJson.IsTooDeep(json) ? JsonBytes.Text(JsonBytes.Compact(json)) : json;
    }

    private static void WriteArguments(Utf8JsonWriter writer, IDictionary<string, object?> arguments)
    {
        writer.WriteStartObject();
        foreach (var (name, value) in arguments)
        {
            writer.WritePropertyName(name);
            if (value is JsonElement json)
            {
                InputJson.Repaired(json).WriteTo(writer);
            }
            else
            {
                JsonSerializer.Serialize(writer, value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object)));
            }
        }
        writer.WriteEndObject();
    }

    /// <summary>Reported numbers are charged to shared budgets, so only plausible ones are accepted.</summary>
    private static long? Plausible(long? count) => count is >= 1 and <= MaxTokens ? count : null;

    private static TokenUsage ToUsage(UsageDetails details, long input, long output)
    {
        var cached = Within(details.CachedInputTokenCount, input);
        return new TokenUsage(
            input,
            output,
            cached,
            Within(details.ReasoningTokenCount, output),
            Within(UsageCounts.CacheWrite(details), input - cached)
        );
    }

    private static long Within(long? count, long most) => Math.Clamp(count ?? 0, 0, most);
}
