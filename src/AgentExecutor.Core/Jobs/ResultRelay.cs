using System.Collections.Immutable;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Publishes the outcomes in the outbox, and retries until the bus has confirmed them. Every worker has a relay, and whichever polls first
/// publishes them, including those of workers that were lost.
/// </summary>
internal sealed class ResultRelay(
    IOutbox outbox,
    IEventBus bus,
    HeldMessages heldMessages,
    OutcomeWaiters waiters,
    WakeSignal wakeSignal,
    TimeProvider time,
    ILogger logger,
    QuestionLinks? links = null
)
{
    private const int Batch = 500;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    /// <summary>
    /// If there was more than one result, the relay waits this long for more of them, because a batch costs little more than a single
    /// result.
    /// </summary>
    private static readonly TimeSpan BatchDelay = TimeSpan.FromMilliseconds(10);

    private readonly PublishedIds _published = new(bus, BusStream.Results);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var count = await RelayAsync(stopping);
                if (count < Batch)
                {
                    await wakeSignal.WaitAsync(Poll, time, stopping);
                    await Task.Delay(count > 1 ? BatchDelay : TimeSpan.Zero, time, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Publishes at most one batch of waiting outcomes, and returns their number.</summary>
    public async Task<int> RelayAsync(CancellationToken cancellationToken)
    {
        ImmutableArray<Outcome> published = [];
        try
        {
            var count = await outbox.RelayAsync(
                Batch,
                async (outcomes, cancel) =>
                {
                    await PublishAsync(outcomes, cancel);
                    published = outcomes;
                },
                cancellationToken
            );
            foreach (var outcome in published)
            {
                waiters.Notify(outcome);
            }
            await heldMessages.AcknowledgeAsync(published, cancellationToken);
            return count;
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
        {
            // The bus and the store log their own outages. The outcomes stay in the outbox.
            return 0;
        }
        catch (FaultException fault)
        {
            Log.NotPublished(logger, fault.Message, fault.Code);
            return 0;
        }
    }

    /// <summary>
    /// Publishes these outcomes. The bus drops duplicates within its duplicate window. An older outcome may have been published by a relay
    /// that died before it could mark it as published, so the stream is searched for its id.
    /// </summary>
    private async Task PublishAsync(ImmutableArray<Outcome> outcomes, CancellationToken cancellationToken)
    {
        var doubtful = outcomes.Where(outcome => outcome.Age > bus.DuplicateWindow / 2).Select(outcome => outcome.CreatedAt).ToList();
        var known = await _published.FindAsync(doubtful, cancellationToken);
        var messages = outcomes.Where(outcome => !known.Contains(outcome.Id)).Select(ToMessage).ToImmutableArray();
        if (messages.Length > 0)
        {
            await OpenInboxAsync(outcomes, cancellationToken);
            await bus.PublishAsync(messages, cancellationToken);
        }
    }

    /// <summary>
    /// Before a question leaves, its answer must be able to arrive by message. If the bus does not permit that, there are other ways to
    /// answer.
    /// </summary>
    private async Task OpenInboxAsync(ImmutableArray<Outcome> outcomes, CancellationToken cancellationToken)
    {
        try
        {
            if (outcomes.Any(static outcome => outcome.Status == RunStatus.Interrupted))
            {
                await bus.OpenInboxAsync(cancellationToken);
            }
        }
        catch (FaultException fault)
        {
            Log.NoInbox(logger, fault.Message, fault.Code);
        }
    }

    private BusMessage ToMessage(Outcome outcome)
    {
        var json =
            outcome.Status == RunStatus.Interrupted && links is not null
                ? links.AddTo(outcome.Json, outcome.Run.ThreadId, outcome.CreatedAt)
                : outcome.Json;
        var message = ToMessage(outcome, json);
        if (message.Body.Length <= bus.MaxBodyBytes)
        {
            return message;
        }
        Log.ResultTooLarge(logger, message.Body.Length, bus.MaxBodyBytes, outcome.Run.RunId, "");
        return ToMessage(outcome, RunResult.Shortened(outcome.Json, bus.MaxBodyBytes / 4));
    }

    private static BusMessage ToMessage(Outcome outcome, ReadOnlyMemory<byte> data)
    {
        var status = outcome.Status.ToString().ToLowerInvariant();
        var traceParent = outcome.TraceParent.Length > 0 ? outcome.TraceParent : TraceParent.Derive(outcome.Run.RunId, outcome.Run.RunId);
        var result = ResultEvent.Of(outcome.Run.RunId, status, data, traceParent, outcome.Id, outcome.CreatedAt);
        return new BusMessage(ResultEvent.SubjectOf(status), CloudEventWriter.Write(result))
        {
            Id = outcome.Id,
            Headers = [KeyValuePair.Create("Content-Type", CloudEventWriter.ContentType)],
        };
    }
}
