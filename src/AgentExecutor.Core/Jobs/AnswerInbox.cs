using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Threads;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Takes the answers and results that arrive as messages. A message is acknowledged after its answer is recorded. One that can never be
/// taken, because it is malformed, names no question, or contradicts an earlier answer, is moved to the dead letters.
/// </summary>
internal sealed class AnswerInbox(
    IEventBus bus,
    RunAnswers answers,
    DeadLetters deadLetters,
    Action onResumed,
    TimeProvider time,
    ILogger logger
)
{
    private const int Batch = 20;

    private static readonly TimeSpan FetchWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var deliveries = await bus.FetchInboxAsync(Batch, FetchWait, stopping);
                await Task.WhenAll(deliveries.Select(TakeAsync));
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
            {
                // The bus and the store log their own outages. The bus redelivers the messages after their ack wait.
                await Task.Delay(Pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Takes one message. From here on the work is not cancelled.</summary>
    private async Task TakeAsync(IDelivery delivery)
    {
        try
        {
            await TakeAsync(InboxMessage.Read(delivery.Message));
            await delivery.AckAsync(CancellationToken.None);
            onResumed();
        }
        catch (EventException fault)
        {
            await RejectAsync(delivery, fault.Code, fault.Message);
        }
        catch (FaultException fault) when (IsPermanent(fault))
        {
            await RejectAsync(delivery, fault.Code, fault.Message);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
        {
            throw;
        }
        catch (Exception exception)
        {
            // Whatever the error was, the message is delivered again.
            if (exception is not FaultException { Code: FaultCodes.StoreUnavailable })
            {
                Log.NotTaken(logger, exception);
            }
            await delivery.NakAsync(Pause * Math.Min(delivery.Attempt * delivery.Attempt, 60), CancellationToken.None);
        }
    }

    private async Task TakeAsync(InboxMessage message)
    {
        switch (message)
        {
            case InboxMessage.Answers given:
                await answers.AnswerAsync(given.ThreadId, given.Given, CancellationToken.None);
                break;
            case InboxMessage.Result result:
                await answers.CompleteCallAsync(result.ThreadId, result.CallId, result.Value, CancellationToken.None);
                break;
        }
    }

    private static bool IsPermanent(FaultException fault) =>
        fault.Code
            is FaultCodes.InvalidEvent
                or FaultCodes.UnsupportedMediaType
                or FaultCodes.InvalidAnswer
                or FaultCodes.AnswerConflict
                or FaultCodes.UnknownThread
                or FaultCodes.UnknownInterrupt
                or FaultCodes.UnknownToolCall
                or FaultCodes.NothingToResume;

    private async Task RejectAsync(IDelivery delivery, string code, string reason)
    {
        await deadLetters.PutAsync(delivery, code, reason, CancellationToken.None);
        await delivery.TermAsync(reason, CancellationToken.None);
        Telemetry.NatsMessagesFailed.Add(1);
        Log.DeadLettered(logger, delivery.Message.Sequence, reason, code, "", "");
    }
}
