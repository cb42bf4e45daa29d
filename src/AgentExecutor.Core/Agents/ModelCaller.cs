using System.Collections.Immutable;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>What to ask a model.</summary>
/// <param name="Messages">The conversation, with the system prompt.</param>
/// <param name="Turn">How many answers it holds.</param>
/// <param name="Tools">The tools that the model may call.</param>
/// <param name="MessageId">The id of the answer, stable across attempts.</param>
/// <param name="MayHaveBegun">An earlier attempt of the run may have shown some of the answer.</param>
internal sealed record ModelRequest(IReadOnlyList<ChatMessage> Messages, int Turn, IList<AITool> Tools, string MessageId, bool MayHaveBegun)
{
    /// <summary>A cheaper model answers, since the budget did not cover the agent's own.</summary>
    public bool IsStandIn { get; init; }

    /// <summary>About how long the input is: a token has about four characters.</summary>
    public long InputTokens => Messages.Sum(static message => message.Text.Length) / 4L;
}

/// <summary>
/// Calls a model and streams its answer to whoever watches. A transient failure is tried again with back-off; what was shown
/// of the failed attempt is then said to be superseded, and none of it is in the answer.
/// </summary>
internal sealed class ModelCaller(AgentSpec spec, IChatClient client)
{
    private static readonly RetryPolicy Retry = RetryPolicy.Standard;

    public async ValueTask<Message> CallAsync(ModelRequest request, GraphScope scope, CancellationToken cancellationToken)
    {
        using var span = Telemetry.Source.StartActivity(Telemetry.ModelSpan, ActivityKind.Client);
        span?.SetTag("gen_ai.operation.name", "chat").SetTag("gen_ai.provider.name", spec.Model.Provider).SetTag("gen_ai.request.model", spec.Model.Model);
        if (request.MayHaveBegun)
        {
            new Answer(spec.Name, request.MessageId, scope).Supersede("the run was taken up again");
        }
        for (var attempt = 1; ; attempt++)
        {
            var answer = new Answer(spec.Name, request.MessageId, scope);
            try
            {
                return await AttemptAsync(request, answer, attempt, scope, cancellationToken);
            }
            catch (Exception exception) when (Retry.Allows(exception, attempt) && !cancellationToken.IsCancellationRequested)
            {
                Count("retried");
                answer.SupersedeShown(exception.Message);
                await Task.Delay(Retry.DelayAfter(attempt, exception, Random.Shared.NextDouble()), scope.Session.Services.Time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                answer.SupersedeShown("it was broken off");
                throw;
            }
            catch (Exception exception)
            {
                Count("failed");
                answer.SupersedeShown(exception.Message);
                span?.SetStatus(ActivityStatusCode.Error, exception.Message);
                throw;
            }
        }
    }

    private async ValueTask<Message> AttemptAsync(
        ModelRequest request, Answer answer, int attempt, GraphScope scope, CancellationToken cancellationToken)
    {
        var planned = new PlannedCall(spec.Name, spec.Model, $"{request.MessageId}#{attempt}", request.InputTokens) { IsStandIn = request.IsStandIn };
        using var call = await scope.Session.Budget.ReserveAsync(planned, cancellationToken);
        var options = new AgentChatOptions
        {
            Agent = spec.Name,
            Turn = request.Turn,
            Attempt = attempt,
            ModelId = spec.Model.Model,
            Temperature = spec.Model.Temperature,
            MaxOutputTokens = call.MaxOutputTokens,
            Tools = request.Tools.Count > 0 ? request.Tools : null,
        };
        await foreach (var update in client.GetStreamingResponseAsync(request.Messages, options, cancellationToken))
        {
            answer.Take(update);
        }
        var message = answer.ToMessage();
        call.Settle(message.Usage ?? default, isAnswer: true);
        Count("succeeded");
        CountTokens(message.Usage ?? default);
        return message;
    }

    private void Count(string outcome) =>
        Telemetry.ModelCalls.Add(1, new("provider", spec.Model.Provider), new("model", spec.Model.Model), new("outcome", outcome));

    private void CountTokens(TokenUsage usage)
    {
        Telemetry.ModelTokens.Add(usage.Input, new("provider", spec.Model.Provider), new("model", spec.Model.Model), new("direction", "input"));
        Telemetry.ModelTokens.Add(usage.Output, new("provider", spec.Model.Provider), new("model", spec.Model.Model), new("direction", "output"));
    }

    /// <summary>An answer as it comes in.</summary>
    private sealed class Answer(string agent, string messageId, GraphScope scope)
    {
        private readonly StringBuilder _text = new();
        private readonly StringBuilder _reasoning = new();
        private readonly ImmutableArray<ToolCall>.Builder _calls = ImmutableArray.CreateBuilder<ToolCall>();
        private TokenUsage? _usage;
        private string? _finishReason;
        private bool _shown;

        public void Take(ChatResponseUpdate update)
        {
            _finishReason = update.FinishReason?.Value ?? _finishReason;
            foreach (var content in update.Contents)
            {
                switch (content)
                {
                    case TextReasoningContent thought:
                        _reasoning.Append(thought.Text);
                        Show("", thought.Text, null);
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
                        _usage = Read(usage.Details);
                        break;
                }
            }
        }

        public Message ToMessage() => new()
        {
            Type = MessageType.Ai,
            Id = messageId,
            Text = _text.ToString(),
            Name = agent,
            ToolCalls = _calls.ToImmutable(),
            Usage = _usage,
            FinishReason = _finishReason,
            Reasoning = _reasoning.Length > 0 ? _reasoning.ToString() : null,
        };

        public void SupersedeShown(string reason)
        {
            if (_shown)
            {
                Supersede(reason);
            }
        }

        public void Supersede(string reason) => scope.Session.Publish(new RunEvent.LlmSuperseded(agent, messageId, reason) { Namespace = scope.Namespace });

        private void Show(string text, string? reasoning, ToolCall? call)
        {
            _shown = true;
            scope.Session.Publish(new RunEvent.LlmStream(agent, messageId, text, reasoning, call) { Namespace = scope.Namespace });
        }

        private static ToolCall Read(FunctionCallContent call) => new(
            call.CallId,
            call.Name,
            call.Exception is not null ? JsonBytes.Text(call.RawRepresentation?.ToString() ?? "") : Arguments(call.Arguments));

        private static JsonElement Arguments(IDictionary<string, object?>? arguments) => arguments is null or { Count: 0 }
            ? JsonElement.Parse("{}"u8)
            : JsonSerializer.SerializeToElement(arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)));

        private static TokenUsage Read(UsageDetails details) => new(
            details.InputTokenCount ?? 0, details.OutputTokenCount ?? 0, details.CachedInputTokenCount ?? 0, details.ReasoningTokenCount ?? 0);
    }
}
