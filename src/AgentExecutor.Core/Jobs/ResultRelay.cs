using System.Collections.Immutable;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Publishes the outcomes of the outbox, each until the bus has confirmed it. Every worker has one; whichever looks first announces, also for workers that died.
/// </summary>
internal sealed class ResultRelay(IOutbox outbox, IEventBus bus, JobLedger ledger, RunWaits waits, Nudge nudge, TimeProvider time, ILogger logger)
{
    private const int Batch = 500;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    /// <summary>Where results come in numbers, some more are waited for: a batch costs little more than one.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);

    private readonly PublishedResults _published = new(bus);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var count = await RelayAsync(stopping);
                if (count < Batch)
                {
                    await nudge.WaitAsync(Poll, time, stopping);
                    await Task.Delay(count > 1 ? Gather : TimeSpan.Zero, time, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Announces what waits, at most a batch; returns how many.</summary>
    public async Task<int> RelayAsync(CancellationToken cancellationToken)
    {
        ImmutableArray<Outcome> announced = [];
        try
        {
            var count = await outbox.RelayAsync(
                Batch,
                async (outcomes, cancel) =>
                {
                    await AnnounceAsync(outcomes, cancel);
                    announced = outcomes;
                },
                cancellationToken);
            foreach (var outcome in announced)
            {
                waits.Tell(outcome);
            }
            await ledger.AnnouncedAsync(announced.Select(outcome => outcome.Run), cancellationToken);
            return count;
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
        {
            return 0; // both say so themselves, once; the outcomes wait
        }
        catch (FaultException fault)
        {
            Log.NotAnnounced(logger, fault.Message, fault.Code);
            return 0;
        }
    }

    /// <summary>
    /// The bus drops what is published twice within its window. An older outcome may have been published by a relay that died before it could say so:
    /// the stream itself is asked.
    /// </summary>
    private async Task AnnounceAsync(ImmutableArray<Outcome> outcomes, CancellationToken cancellationToken)
    {
        var doubtful = outcomes.Where(outcome => outcome.Age > bus.DuplicateWindow / 2).ToList();
        var known = await _published.FindAsync(doubtful, cancellationToken);
        var messages = outcomes.Where(outcome => !known.Contains(outcome.Id)).Select(ToMessage).ToImmutableArray();
        if (messages.Length > 0)
        {
            await bus.PublishAsync(messages, cancellationToken);
        }
    }

    private BusMessage ToMessage(Outcome outcome)
    {
        var message = ToMessage(outcome, outcome.Json);
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
