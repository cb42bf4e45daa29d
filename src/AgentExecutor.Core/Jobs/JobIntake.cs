using System.Collections.Immutable;
using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Fetches messages from the bus for the free slots only, and gives them to the <see cref="JobStarter"/> in batches. If the jobs of a batch
/// cannot be stored, its messages are returned to the bus.
/// </summary>
internal sealed class JobIntake(
    IEventBus bus,
    JobStarter starter,
    HeldMessages heldMessages,
    IRunSlots slots,
    WakeSignal slotFreed,
    TimeProvider time,
    ILogger logger
)
{
    /// <summary>The number of batches that are stored at the same time.</summary>
    private const int MaxBatches = 4;

    /// <summary>
    /// The longest redelivery delay, in units of <see cref="Pause"/>. The delay grows with each attempt, so that an outage of minutes does
    /// not use up the deliveries of a message.
    /// </summary>
    private const int MaxPauses = 60;

    private static readonly TimeSpan FetchWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly List<Task> _batches = [];
    private int _submitting;
    private volatile bool _isStoreDown;

    /// <summary>The number of messages that are being stored as runs. Each will need a slot.</summary>
    public int Submitting => Volatile.Read(ref _submitting);

    /// <summary>
    /// The largest batch to fetch. It is small, so that workers that fetch at the same time all get some of the messages.
    /// </summary>
    private int MaxBatchSize { get; } = Math.Max(1, slots.Total / 4);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await TakeAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
            catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
            {
                // The bus and the store log their own outages.
                await Task.Delay(Pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        // Each message is acknowledged, returned or held before the intake reports that it has stopped.
        await Task.WhenAll(_batches);
    }

    private async Task TakeAsync(CancellationToken stopping)
    {
        // A message is held slightly longer than its run occupies a slot, namely until its result is published.
        var free = Math.Min(slots.Total - slots.Taken - _submitting, (2 * slots.Total) + slots.Waiting - heldMessages.Count - _submitting);
        if (free <= 0)
        {
            await slotFreed.WaitAsync(Pause, time, stopping);
            return;
        }
        if (_isStoreDown)
        {
            // This call throws while the store is down, so no messages are fetched that cannot be stored.
            await heldMessages.AcknowledgePublishedAsync([.. heldMessages.Jobs], stopping);
            _isStoreDown = false;
        }
        var deliveries = await bus.FetchAsync(Math.Min(free, MaxBatchSize), FetchWait, stopping);
        if (!deliveries.IsEmpty)
        {
            await StartBatchAsync(deliveries);
        }
    }

    /// <summary>Stores these messages while the next ones are fetched. From here on the work is not cancelled.</summary>
    private async Task StartBatchAsync(ImmutableArray<IDelivery> deliveries)
    {
        _batches.RemoveAll(static job => job.IsCompleted);
        if (_batches.Count >= MaxBatches)
        {
            _batches.Remove(await Task.WhenAny(_batches));
        }
        Interlocked.Add(ref _submitting, deliveries.Length);
        _batches.Add(RunBatchAsync(deliveries));
    }

    private async Task RunBatchAsync(ImmutableArray<IDelivery> deliveries)
    {
        try
        {
            await starter.StartAsync(deliveries);
        }
        catch (Exception exception)
        {
            // Whatever the error was, the messages are returned and will be redelivered.
            _isStoreDown |= exception is FaultException { Code: FaultCodes.StoreUnavailable };
            // Otherwise this process would keep renewing them, and the bus would deliver them to nobody.
            heldMessages.Forget(deliveries);
            await ReturnAsync(deliveries, exception);
        }
        finally
        {
            Interlocked.Add(ref _submitting, -deliveries.Length);
            slotFreed.Set();
        }
    }

    /// <summary>
    /// Returns messages to the bus. For messages that were already acknowledged this has no effect. Those that are held are redelivered and
    /// matched with their jobs.
    /// </summary>
    private async Task ReturnAsync(ImmutableArray<IDelivery> deliveries, Exception cause)
    {
        try
        {
            foreach (var delivery in deliveries)
            {
                var delay = Pause * Math.Min(delivery.Attempt * delivery.Attempt, MaxPauses);
                await delivery.NakAsync(delay, CancellationToken.None);
            }
        }
        catch (FaultException)
        {
            // The bus is unavailable. It redelivers the messages after their ack wait.
        }
        if (cause is not FaultException { Code: FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable })
        {
            Log.NotStored(logger, cause, deliveries.Length);
        }
    }
}
