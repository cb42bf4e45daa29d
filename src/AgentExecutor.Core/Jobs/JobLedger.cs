using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// The messages whose jobs are not done with: kept alive while they run, here or elsewhere, and acknowledged once their results are announced.
/// </summary>
internal sealed class JobLedger(IOutbox outbox, IRunQueue queue, TimeSpan ackWait, TimeProvider time)
{
    private readonly ConcurrentDictionary<RunKey, ImmutableList<IDelivery>> _held = new();

    public int Count => _held.Count;

    public IEnumerable<RunKey> Jobs => _held.Keys;

    /// <summary>Holds the message until its job is announced; a second message of the same job waits with the first.</summary>
    public void Hold(RunKey job, IDelivery delivery) =>
        _held.AddOrUpdate(job, static (_, first) => [first], static (_, held, next) => held.Add(next), delivery);

    /// <summary>Acknowledges what these results were waited for.</summary>
    public async Task AnnouncedAsync(IEnumerable<RunKey> jobs, CancellationToken cancellationToken)
    {
        foreach (var job in jobs)
        {
            if (_held.TryRemove(job, out var deliveries))
            {
                await AckAsync(deliveries, cancellationToken);
            }
        }
    }

    /// <summary>Keeps the messages alive, and looks for results that others have announced.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(ackWait / 3, time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            try
            {
                foreach (var delivery in _held.Values.SelectMany(static held => held))
                {
                    await delivery.InProgressAsync(stopping);
                }
                await SettleAsync([.. _held.Keys], stopping);
            }
            catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
            {
                // both say so themselves, once; the messages come again, and find their jobs
            }
        }
    }

    /// <summary>Acknowledges those whose results were announced before.</summary>
    public async Task SettleAsync(ImmutableArray<RunKey> jobs, CancellationToken cancellationToken)
    {
        var outcomes = (await outbox.FindAsync(jobs, cancellationToken)).ToDictionary(outcome => outcome.Run);
        await AnnouncedAsync(outcomes.Values.Where(outcome => outcome.IsAnnounced).Select(outcome => outcome.Run), cancellationToken);
        foreach (var job in jobs.Where(job => !outcomes.ContainsKey(job) && _held.ContainsKey(job)))
        {
            if (await queue.FindAsync(job.ThreadId, job.RunId, cancellationToken) is null or { IsFinished: true })
            {
                await AnnouncedAsync([job], cancellationToken); // so long ago that its outcome is no longer kept
            }
        }
    }

    /// <summary>Returns all messages: their runs are others' now, and so is the wait for them.</summary>
    public async Task ReturnAsync(CancellationToken cancellationToken)
    {
        foreach (var job in _held.Keys)
        {
            if (_held.TryRemove(job, out var deliveries))
            {
                foreach (var delivery in deliveries)
                {
                    await delivery.NakAsync(TimeSpan.Zero, cancellationToken);
                }
            }
        }
    }

    private static async Task AckAsync(ImmutableList<IDelivery> deliveries, CancellationToken cancellationToken)
    {
        foreach (var delivery in deliveries)
        {
            await delivery.AckAsync(cancellationToken);
            Telemetry.NatsMessagesProcessed.Add(1);
        }
    }
}
