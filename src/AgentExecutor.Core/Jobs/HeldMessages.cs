using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Holds the messages whose jobs have not ended. Their ack wait is extended while the jobs run, here or elsewhere, and they are
/// acknowledged once the results are published.
/// </summary>
internal sealed class HeldMessages(IOutbox outbox, IEventBus bus, TimeProvider time)
{
    /// <summary>The message is acknowledged after any outcome of its job.</summary>
    public const long AnyOutcome = -1;

    private readonly ConcurrentDictionary<RunKey, ImmutableList<HeldMessage>> _held = new();

    public int Count => _held.Count;

    public IEnumerable<RunKey> Jobs => _held.Keys;

    /// <summary>Holds the message until the outcome of its job is published. Several messages of one job are held together.</summary>
    /// <param name="job">The job.</param>
    /// <param name="delivery">The message of the job.</param>
    /// <param name="after">
    /// Outcomes up to this sequence belong to earlier attempts and do not end the wait. <see cref="AnyOutcome"/> accepts every outcome.
    /// </param>
    public void Hold(RunKey job, IDelivery delivery, long after)
    {
        var message = new HeldMessage(delivery, after);
        _held.AddOrUpdate(job, static (_, first) => [first], static (_, held, next) => held.Add(next), message);
    }

    /// <summary>Forgets messages that are returned to the bus. When they are redelivered they are matched with their jobs again.</summary>
    public void Forget(ImmutableArray<IDelivery> deliveries)
    {
        foreach (var job in _held.Keys)
        {
            Take(job, held => deliveries.Contains(held.Delivery));
        }
    }

    /// <summary>Acknowledges the messages that waited for these outcomes.</summary>
    public async Task AcknowledgeAsync(IEnumerable<Outcome> outcomes, CancellationToken cancellationToken) =>
        await AckAsync([.. outcomes.SelectMany(outcome => Take(outcome.Run, held => held.After < outcome.Sequence))], cancellationToken);

    /// <summary>Polls for results that other workers have published.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (true)
        {
            await Task.Delay(bus.AckWait / 3, time, stopping);
            try
            {
                await AcknowledgePublishedAsync([.. _held.Keys], stopping);
            }
            catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
            {
                // The bus and the store log their own outages. The messages are redelivered and matched with their jobs.
            }
        }
    }

    /// <summary>
    /// Extends the ack wait of the messages, three times per ack wait. This does not query the store, so a slow store does not let messages
    /// expire.
    /// </summary>
    public async Task RenewAsync(CancellationToken stopping)
    {
        while (true)
        {
            await Task.Delay(bus.AckWait / 3, time, stopping);
            ImmutableArray<IDelivery> deliveries = [.. _held.Values.SelectMany(static held => held).Select(static held => held.Delivery)];
            try
            {
                if (!deliveries.IsEmpty)
                {
                    await bus.InProgressAsync(deliveries, stopping);
                }
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
            {
                // The bus logs its own outages. The messages are redelivered and matched with their jobs.
            }
        }
    }

    /// <summary>Acknowledges the messages whose results have been published already.</summary>
    public async Task AcknowledgePublishedAsync(ImmutableArray<RunKey> jobs, CancellationToken cancellationToken)
    {
        // The bus may have delivered several messages of one job.
        ImmutableArray<RunKey> distinct = [.. jobs.Distinct()];
        var statuses = (await outbox.FindStatusesAsync(distinct, cancellationToken)).ToDictionary(status => status.Run);
        var done = distinct.SelectMany(job => Take(job, held => IsDone(held, statuses.TryGetValue(job, out var status) ? status : null)));
        await AckAsync([.. done], cancellationToken);
    }

    /// <summary>Returns all messages to the bus. Other workers take over their jobs and hold the redelivered messages.</summary>
    public async Task ReturnAsync(CancellationToken cancellationToken)
    {
        foreach (var held in _held.Keys.SelectMany(job => Take(job, static _ => true)).ToList())
        {
            await held.Delivery.NakAsync(TimeSpan.Zero, cancellationToken);
        }
    }

    /// <summary>
    /// Returns true if the message can be acknowledged. If the run or its outcome is no longer stored, the outcome was published long ago.
    /// </summary>
    private static bool IsDone(HeldMessage held, RunOutcomeStatus? status) =>
        status switch
        {
            null or { Outcome: 0, IsFinished: true } => true,
            // The wait for an external tool is stored together with the request, and a message of its own ends it.
            { Status: RunStatus.Waiting } => true,
            { } it => it.IsPublished && it.Outcome > held.After,
        };

    private ImmutableList<HeldMessage> Take(RunKey job, Predicate<HeldMessage> isTaken)
    {
        while (_held.TryGetValue(job, out var held))
        {
            var (taken, left) = (held.FindAll(isTaken), held.RemoveAll(isTaken));
            if (taken.IsEmpty)
            {
                return taken;
            }
            if (left.IsEmpty ? _held.TryRemove(KeyValuePair.Create(job, held)) : _held.TryUpdate(job, left, held))
            {
                return taken;
            }
        }
        return [];
    }

    private async Task AckAsync(ImmutableArray<HeldMessage> messages, CancellationToken cancellationToken)
    {
        if (!messages.IsEmpty)
        {
            await bus.AckAsync([.. messages.Select(static held => held.Delivery)], cancellationToken);
            Telemetry.NatsMessagesProcessed.Add(messages.Length);
        }
    }

    /// <summary>A message, and the sequence up to which it ignores outcomes.</summary>
    private sealed record HeldMessage(IDelivery Delivery, long After);
}
