using System.Globalization;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Sessions;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// Asks one model until it answers or its attempts are used up. Output of a failed attempt that was already published is declared
/// superseded and is not part of the answer. While the call waits, the run releases its worker slot.
/// </summary>
/// <param name="agent">The agent that makes the call.</param>
/// <param name="spec">The model.</param>
/// <param name="server">The server of the model.</param>
/// <param name="client">The client for the server.</param>
/// <param name="idPrefix">Distinguishes the attempts from those of the agent's other models; empty for the first model.</param>
internal sealed class ModelAttempts(string agent, ModelSpec spec, ModelAddress server, IChatClient client, string idPrefix)
{
    /// <summary>The number of output tokens to assume if the model has no limit.</summary>
    private const int DefaultAnswerTokens = 1_000;

    private static readonly TimeSpan LongWait = TimeSpan.FromSeconds(2);

    public ModelSpec Spec => spec;

    /// <param name="request">The request.</param>
    /// <param name="isLast">True if there is no other model to ask, so that an unavailable server is waited for.</param>
    /// <param name="scope">The scope of the run.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="FaultException">The model failed for good.</exception>
    public async ValueTask<Message> CallAsync(ModelRequest request, bool isLast, GraphScope scope, CancellationToken cancellationToken)
    {
        var (session, models) = (scope.Session, scope.Session.Services.Models);
        var retry = new ModelRetry(isLast ? models.Settings : WithFallback(models.Settings));
        for (var attempt = 1; ; attempt++)
        {
            var answer = new ModelAnswer(agent, spec, request.MessageId, scope);
            try
            {
                await AttemptAsync(request, answer, attempt, isLast, session, cancellationToken);
                ThrowIfUnusable(answer);
                ModelSpan.Count(spec, session.Services.Prices, "succeeded");
                return answer.ToMessage();
            }
            catch (FaultException fault)
            {
                if (retry.After(fault, TimeLeft(session), models.Random()) is not { } delay)
                {
                    answer.SupersedeShown(fault.Message);
                    throw; // the caller counts the failure, because it may ask another model
                }
                PublishRetry(answer, fault, delay);
                ModelSpan.Count(spec, session.Services.Prices, "retried");
                await session.WaitAsync(token => new ValueTask(Task.Delay(delay, session.Services.Time, token)), cancellationToken);
            }
            catch (Exception exception)
            {
                answer.SupersedeShown(exception is OperationCanceledException ? "the call was cancelled" : exception.Message);
                throw;
            }
        }
    }

    /// <summary>Publishes a retry. A long delay is announced, even if no output has been published yet.</summary>
    private static void PublishRetry(ModelAnswer answer, FaultException fault, TimeSpan delay)
    {
        if (delay >= LongWait)
        {
            answer.Supersede(
                string.Create(CultureInfo.InvariantCulture, $"{fault.Message}; the call is retried in {delay.TotalSeconds:0} s")
            );
        }
        else
        {
            answer.SupersedeShown(fault.Message);
        }
    }

    /// <summary>If another model can be asked, long pauses that the server asks for are not waited for.</summary>
    private static ModelCallSettings WithFallback(ModelCallSettings settings) =>
        settings with
        {
            MaxRetryAfterSeconds = Math.Min(settings.MaxRetryAfterSeconds, ModelGate.LongestPause.TotalSeconds),
        };

    private static TimeSpan TimeLeft(RunSession session) =>
        double.IsInfinity(session.Usage.Limits.MaxSeconds)
            ? TimeSpan.MaxValue
            : TimeSpan.FromSeconds(Math.Max(0, session.Usage.Limits.MaxSeconds - session.Usage.Current.ActiveSeconds));

    private async ValueTask AttemptAsync(
        ModelRequest request,
        ModelAnswer answer,
        int attempt,
        bool isLast,
        RunSession session,
        CancellationToken cancellationToken
    )
    {
        var tokens = request.InputTokens + (spec.MaxTokens ?? DefaultAnswerTokens);
        using var permit = await session.Services.Models.EnterAsync(
            server,
            tokens,
            isLast ? TimeLeft(session) : null,
            session.WaitAsync,
            cancellationToken
        );
        using var span = ModelSpan.Start(spec, attempt);
        try
        {
            await CallWithinBudgetAsync(request, answer, attempt, permit, session, cancellationToken);
            permit.IsServerUp = true;
        }
        catch (FaultException fault)
        {
            permit.IsServerUp = ServerStateOf(fault);
            // A rate limit that is not transient means that a quota is used up, perhaps that of this model only.
            permit.RetryAfter = fault is { Code: FaultCodes.ModelRateLimited, IsTransient: true } ? fault.RetryAfter : null;
            span.Fail(fault.Code);
            throw;
        }
        finally
        {
            permit.Tokens = answer.Taken(request.InputTokens)?.Total ?? 0;
            ModelSpan.Describe(span, answer);
        }
    }

    /// <summary>
    /// Makes the call and charges it to the run. This is the only place that does so: the cost is reserved before the call and settled
    /// after it, even if the call failed after it used tokens.
    /// </summary>
    private async ValueTask CallWithinBudgetAsync(
        ModelRequest request,
        ModelAnswer answer,
        int attempt,
        ModelPermit permit,
        RunSession session,
        CancellationToken cancellationToken
    )
    {
        var planned = new PlannedCall(agent, spec, $"{request.MessageId}#{idPrefix}{attempt}", request.InputTokens)
        {
            IsCheaperModel = request.IsCheaperModel,
        };
        using var call = await session.Budget.ReserveAsync(planned, cancellationToken);
        permit.WasUsed = true;
        try
        {
            await StreamAsync(request, answer, Options(request, attempt, call.MaxOutputTokens), session.Services, cancellationToken);
            answer.End();
            if (call.ShortenedBy is { } limit && answer.FinishReason == ChatFinishReason.Length.Value)
            {
                throw limit; // an answer that was cut off by a budget is not used
            }
        }
        finally
        {
            if (answer.Taken(request.InputTokens) is { } usage)
            {
                call.Settle(usage, isAnswer: answer.HasEnded && !answer.IsFiltered);
                ModelSpan.CountTokens(spec, session.Services.Prices, usage);
            }
        }
    }

    private async ValueTask StreamAsync(
        ModelRequest request,
        ModelAnswer answer,
        AgentChatOptions options,
        RunServices services,
        CancellationToken cancellationToken
    )
    {
        var settings = services.Models.Settings;
        var updates = StallGuard.ReadAsync(
            token => client.GetStreamingResponseAsync(request.Messages, options, token),
            TimeSpan.FromSeconds(settings.FirstTokenSeconds),
            TimeSpan.FromSeconds(settings.NextTokenSeconds),
            KeepAlive.Is,
            services.Time,
            cancellationToken
        );
        try
        {
            await foreach (var update in updates)
            {
                answer.Take(update);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw new FaultException(FaultCodes.ModelUnavailable, $"{spec} could not be reached: {exception.Message}", inner: exception)
            {
                IsTransient = true,
            };
        }
        catch (Exception exception)
            when (exception is TimeoutException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new FaultException(FaultCodes.ModelTimeout, $"{spec} did not answer in time", inner: exception) { IsTransient = true };
        }
        // The border to model clients: whatever a server sends, it must not fail the run with an internal error.
        catch (Exception exception) when (exception is not (FaultException or OperationCanceledException))
        {
            throw new FaultException(
                FaultCodes.ModelUnavailable,
                $"the answer of {spec} could not be read: {exception.GetType().Name}: {exception.Message}",
                inner: exception
            )
            {
                IsTransient = true,
            };
        }
    }

    private AgentChatOptions Options(ModelRequest request, int attempt, int? maxOutputTokens) =>
        new()
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

    /// <summary>
    /// Returns false if the fault shows that the server is in trouble, true if the server answered with a refusal, and null if the fault
    /// says nothing about the server.
    /// </summary>
    private static bool? ServerStateOf(FaultException fault) =>
        fault.Code switch
        {
            FaultCodes.ModelUnavailable or FaultCodes.ModelTimeout => false,
            FaultCodes.ModelRateLimited
            or FaultCodes.ModelAuthentication
            or FaultCodes.ModelInvalidRequest
            or FaultCodes.ModelNotFound
            or FaultCodes.ModelContextOverflow
            or FaultCodes.ModelRefused => true,
            _ => null,
        };

    /// <summary>An empty answer is never a success; the call is retried.</summary>
    private static void ThrowIfUnusable(ModelAnswer answer)
    {
        if (answer.IsFiltered)
        {
            throw new FaultException(
                FaultCodes.ModelRefused,
                "the model's answer was stopped by a content filter",
                "change the request, or set fallback_on_refusal and configure fallbacks"
            );
        }
        if (answer.IsEmpty && answer.FinishReason == ChatFinishReason.Length.Value)
        {
            throw new FaultException(
                FaultCodes.InvalidOutput,
                "the model used all its tokens before it produced an answer",
                "raise max_tokens of the model, or lower its reasoning_effort"
            );
        }
        if (answer.IsEmpty)
        {
            throw new EmptyAnswer();
        }
    }
}
