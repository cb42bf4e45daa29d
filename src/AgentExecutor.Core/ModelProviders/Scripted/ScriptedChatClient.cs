using System.Runtime.CompilerServices;
using System.Text.Json;
using AgentExecutor.Core.Messages;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders.Scripted;

/// <summary>
/// Answers from a <see cref="Script"/>. It keeps no state between calls, so a repeated call gives the same answer in every process.
/// </summary>
internal sealed class ScriptedChatClient(Script script, ModelSpec spec, TimeProvider time) : IChatClient
{
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in GetStreamingResponseAsync(messages, options, cancellationToken))
        {
            updates.Add(update);
        }
        return updates.ToChatResponse();
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        var list = messages as IReadOnlyList<ChatMessage> ?? [.. messages];
        var conversation = new Conversation(list);
        var call =
            options as AgentChatOptions
            ?? new AgentChatOptions { Agent = "", Turn = list.Count(message => message.Role == ChatRole.Assistant) };
        var turn = Choose(conversation, call);
        await WaitAsync(turn.Delay, cancellationToken);
        var chunks = 0;
        var text = Quotes.Fill(turn.Text, conversation);
        foreach (var update in Chunks(turn, text))
        {
            await FailIfDueAsync(turn, call, chunks++, cancellationToken);
            yield return update;
            await WaitAsync(turn.ChunkDelay, cancellationToken);
        }
        await FailIfDueAsync(turn, call, int.MaxValue, cancellationToken);
        for (var i = 0; i < turn.ToolCalls.Count; i++)
        {
            var id = turn.ToolCalls[i].Id ?? $"call_{call.Agent}_{call.Turn}_{i}";
            yield return new ChatResponseUpdate(ChatRole.Assistant, [Call(id, turn.ToolCalls[i], conversation)]) { ModelId = spec.Model };
        }
        var usage = turn.Usage ?? new TokenUsage(Math.Max(1, conversation.Last.Length / 4), Math.Max(1, text.Length / 4));
        yield return new ChatResponseUpdate(ChatRole.Assistant, [new UsageContent(Details(usage))])
        {
            ModelId = spec.Model,
            FinishReason =
                turn.FinishReason is { } reason ? new ChatFinishReason(reason)
                : turn.ToolCalls.Count > 0 ? ChatFinishReason.ToolCalls
                : ChatFinishReason.Stop,
        };
    }

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose() { }

    private ScriptTurn Choose(Conversation conversation, AgentChatOptions call)
    {
        var inOrder = 0;
        ScriptTurn? next = null;
        foreach (var turn in script.Turns)
        {
            if (turn.When is { } condition)
            {
                if (conversation.Meets(condition, call.Agent, call.Turn))
                {
                    return turn;
                }
            }
            else if (inOrder++ == call.Turn)
            {
                next = turn;
            }
        }
        return next
            ?? throw new FaultException(
                FaultCodes.ScriptExhausted,
                $"the scripted model '{spec.Model}' has no turn for answer {call.Turn + 1} of the agent '{call.Agent}'",
                "add a turn to its script, or a turn whose 'when' holds here"
            );
    }

    private static IEnumerable<ChatResponseUpdate> Chunks(ScriptTurn turn, string text)
    {
        if (turn.Reasoning is { } reasoning)
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, [new TextReasoningContent(reasoning)]);
        }
        for (var at = 0; at < text.Length; at += turn.ChunkSize)
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, text.Substring(at, Math.Min(turn.ChunkSize, text.Length - at)));
        }
    }

    private async ValueTask FailIfDueAsync(ScriptTurn turn, AgentChatOptions call, int chunks, CancellationToken cancellationToken)
    {
        if (turn.Error is { } error && call.Attempt <= error.Attempts && chunks >= error.AfterChunks)
        {
            await (error.IsStall ? Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken) : Task.FromException(error.ToFault()));
        }
    }

    private static FunctionCallContent Call(string id, ScriptCall call, Conversation conversation)
    {
        var arguments = Quotes.Fill(call.Arguments, conversation);
        return arguments.ValueKind == JsonValueKind.Object
            ? new FunctionCallContent(id, call.Name, arguments.EnumerateObject().ToDictionary(it => it.Name, object? (it) => it.Value))
            : new FunctionCallContent(id, call.Name)
            {
                RawRepresentation = arguments.GetRawText(),
                Exception = new JsonException("The arguments are not an object."),
            };
    }

    private static UsageDetails Details(TokenUsage usage) =>
        new UsageDetails
        {
            InputTokenCount = usage.Input,
            OutputTokenCount = usage.Output,
            TotalTokenCount = usage.Total,
            CachedInputTokenCount = usage.CachedInput,
            ReasoningTokenCount = usage.Reasoning,
        }.WithCacheWrite(usage.CacheWrite);

    private Task WaitAsync(TimeSpan delay, CancellationToken cancellationToken) =>
        delay > TimeSpan.Zero ? Task.Delay(delay, time, cancellationToken) : Task.CompletedTask;
}
