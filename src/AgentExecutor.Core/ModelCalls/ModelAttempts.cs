using System.Globalization;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// Asks one model until it answers, or its attempts are spent. What was shown of a failed attempt is said to be superseded, and none of it is in the answer. The run
/// holds no place at its worker while it waits.
/// </summary>
/// <param name="agent">Who asks.</param>
/// <param name="spec">The model.</param>
/// <param name="server">Where it is.</param>
/// <param name="client">Speaks with it.</param>
/// <param name="place">Tells its attempts from those of the agent's other models; empty for the first.</param>
internal sealed class ModelAttempts(string agent, ModelSpec spec, ModelAddress server, IChatClient client, string place)
{
    /// <summary>Tokens that an answer is taken to have, where the model is given no limit.</summary>
    private const int UsualAnswer = 1_000;

    private static readonly TimeSpan LongWait = TimeSpan.FromSeconds(2);

    public ModelSpec Spec => spec;

    /// <param name="isLast">There is no other model to ask: a server that is left alone is waited for.</param>
    /// <exception cref="FaultException">The model failed for good.</exception>
    public async ValueTask<Message> CallAsync(ModelRequest request, bool isLast, GraphScope scope, CancellationToken cancellationToken)
    {
        var (session, models) = (scope.Session, scope.Session.Services.Models);
        var retry = new ModelRetry(isLast ? models.Settings : Impatient(models.Settings));
        var wasEmpty = false;
        for (var attempt = 1; ; attempt++)
        {
            var answer = new ModelAnswer(agent, spec, request.MessageId, scope);
            try
            {
                await AttemptAsync(request, answer, attempt, isLast, session, cancellationToken);
                ThrowIfUseless(answer, wasEmpty);
                ModelSpan.Count(spec, "succeeded");
                return answer.ToMessage();
            }
            catch (FaultException fault)
            {
                wasEmpty |= fault is EmptyAnswer;
                if (retry.After(fault, TimeLeft(session), models.Random()) is not { } delay)
                {
                    answer.SupersedeShown(fault.Message);
                    throw; // who asked counts it: another model may be asked yet
                }
                Tell(answer, fault, delay);
                ModelSpan.Count(spec, "retried");
                await session.WaitAsync(token => new ValueTask(Task.Delay(delay, session.Services.Time, token)), cancellationToken);
            }
            catch (Exception exception)
            {
                answer.SupersedeShown(exception is OperationCanceledException ? "it was broken off" : exception.Message);
                throw;
            }
        }
    }

    /// <summary>Who watches is told of a wait that is long enough to wonder at.</summary>
    private static void Tell(ModelAnswer answer, FaultException fault, TimeSpan delay)
    {
        if (delay >= LongWait)
        {
            answer.Supersede(string.Create(CultureInfo.InvariantCulture, $"{fault.Message}; it is asked again in {delay.TotalSeconds:0} s"));
        }
        else
        {
            answer.SupersedeShown(fault.Message);
        }
    }

    /// <summary>Where another model can be asked, no long pause of this one's server is waited for, by whoever the server asked for it.</summary>
    private static ModelCallSettings Impatient(ModelCallSettings settings) =>
        settings with { MaxRetryAfterSeconds = Math.Min(settings.MaxRetryAfterSeconds, ModelGate.LongestPause.TotalSeconds) };

    private static TimeSpan TimeLeft(RunSession session) => double.IsInfinity(session.Usage.Limits.MaxSeconds)
        ? TimeSpan.MaxValue
        : TimeSpan.FromSeconds(Math.Max(0, session.Usage.Limits.MaxSeconds - session.Usage.Current.ActiveSeconds));

    private async ValueTask AttemptAsync(
        ModelRequest request, ModelAnswer answer, int attempt, bool isLast, RunSession session, CancellationToken cancellationToken)
    {
        var tokens = request.InputTokens + (spec.MaxTokens ?? UsualAnswer);
        using var permit = await session.Services.Models.EnterAsync(server, tokens, isLast ? TimeLeft(session) : null, session, cancellationToken);
        using var span = ModelSpan.Start(spec, attempt);
        try
        {
            await PaidAsync(request, answer, attempt, permit, session, cancellationToken);
            permit.IsServerUp = true;
        }
        catch (FaultException fault)
        {
            permit.IsServerUp = IsOfTheServer(fault);
            permit.RetryAfter = fault is { Code: FaultCodes.ModelRateLimited, IsTransient: true } ? fault.RetryAfter : null; // else a quota is used up, of this model perhaps
            ModelSpan.Fail(span, fault);
            throw;
        }
        finally
        {
            permit.Tokens = answer.Taken(request.InputTokens)?.Total ?? 0;
            ModelSpan.Describe(span, answer);
        }
    }

    /// <summary>The one place where a call is charged to the run: reserved before, settled after, also where it failed and yet took something.</summary>
    private async ValueTask PaidAsync(
        ModelRequest request, ModelAnswer answer, int attempt, ModelPermit permit, RunSession session, CancellationToken cancellationToken)
    {
        var planned = new PlannedCall(agent, spec, $"{request.MessageId}#{place}{attempt}", request.InputTokens) { IsStandIn = request.IsStandIn };
        using var call = await session.Budget.ReserveAsync(planned, cancellationToken);
        permit.WasUsed = true;
        try
        {
            await StreamAsync(request, answer, Options(request, attempt, call.MaxOutputTokens), session.Services, cancellationToken);
            answer.End();
            if (call.Bound is { } bound && answer.FinishReason == ChatFinishReason.Length.Value)
            {
                throw bound; // what was cut because a budget ends is no answer
            }
        }
        finally
        {
            if (answer.Taken(request.InputTokens) is { } usage)
            {
                call.Settle(usage, isAnswer: answer.HasEnded && !answer.IsFiltered);
                ModelSpan.CountTokens(spec, usage);
            }
        }
    }

    private async ValueTask StreamAsync(ModelRequest request, ModelAnswer answer, AgentChatOptions options, RunServices services, CancellationToken cancellationToken)
    {
        var settings = services.Models.Settings;
        var updates = StallGuard.ReadAsync(
            token => client.GetStreamingResponseAsync(request.Messages, options, token),
            TimeSpan.FromSeconds(settings.FirstTokenSeconds), TimeSpan.FromSeconds(settings.NextTokenSeconds), SignOfLife.Is, services.Time, cancellationToken);
        try
        {
            await foreach (var update in updates)
            {
                answer.Take(update);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw new FaultException(FaultCodes.ModelUnavailable, $"{spec} could not be reached: {exception.Message}", inner: exception) { IsTransient = true };
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new FaultException(FaultCodes.ModelTimeout, $"{spec} did not answer in time", inner: exception) { IsTransient = true };
        }
    }

    private AgentChatOptions Options(ModelRequest request, int attempt, int? maxOutputTokens) => new()
    {
        Agent = agent,
        Turn = request.Turn,
        Attempt = attempt,
        ModelId = spec.Model,
        Temperature = spec.Temperature,
        MaxOutputTokens = maxOutputTokens,
        Tools = request.Tools.Count > 0 ? request.Tools : null,
        ToolMode = request.Tools.Count > 0 ? request.ToolMode : null,
        ResponseFormat = request.ResponseFormat,
    };

    /// <summary>False where the fault says that the server is in trouble, true where it answered with a refusal; null where it tells neither.</summary>
    private static bool? IsOfTheServer(FaultException fault) => fault.Code switch
    {
        FaultCodes.ModelUnavailable or FaultCodes.ModelTimeout => false,
        FaultCodes.ModelRateLimited or FaultCodes.ModelAuthentication or FaultCodes.ModelInvalidRequest or FaultCodes.ModelNotFound
            or FaultCodes.ModelContextOverflow or FaultCodes.ModelRefused => true,
        _ => null,
    };

    /// <summary>An answer of nothing is asked for once more and then taken: models do end so after tool calls, and what those did must not be lost.</summary>
    private static void ThrowIfUseless(ModelAnswer answer, bool wasEmpty)
    {
        if (answer.IsFiltered)
        {
            throw new FaultException(
                FaultCodes.ModelRefused, "the model's answer was stopped by a content filter", "change the request, or set fallback_on_refusal and name fallbacks");
        }
        if (answer.IsEmpty && answer.FinishReason == ChatFinishReason.Length.Value)
        {
            throw new FaultException(
                FaultCodes.InvalidOutput, "the model used all its tokens before it answered anything", "raise max_tokens of the model, or have it think less");
        }
        if (answer.IsEmpty && !wasEmpty)
        {
            throw new EmptyAnswer();
        }
    }

    private sealed class EmptyAnswer : FaultException
    {
        public EmptyAnswer()
            : base(FaultCodes.ModelUnavailable, "the model answered nothing") => IsTransient = true;
    }
}
