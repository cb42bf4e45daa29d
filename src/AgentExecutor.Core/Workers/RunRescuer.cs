using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Returns runs to the queue whose worker let the lease expire. Every worker has a rescuer, and the first one that polls does the work. A
/// rescuer never takes a run that its own process executes: after a pause of the process that lease has expired only because nothing could
/// renew it, so it is renewed first.
/// </summary>
internal sealed class RunRescuer(
    IRunQueue queue,
    RunControl control,
    LeaseKeeper keeper,
    RunCompleter completer,
    WorkerSettings settings,
    WorkerSignals signals,
    TimeProvider time,
    ILogger logger
)
{
    private readonly TimeSpan _lease = TimeSpan.FromSeconds(settings.LeaseSeconds);

    /// <summary>A longer time between two polls means that this process, and possibly other processes, were suspended in between.</summary>
    private readonly TimeSpan _longestRound = TimeSpan.FromSeconds((settings.RescueSeconds * 1.2) + (settings.LeaseSeconds / 2));

    private long _polledAt = time.GetTimestamp();
    private DateTimeOffset _polledAtTime = time.GetUtcNow();

    // The lost runs whose failure was logged.
    private readonly HashSet<string> _notCancelled = new(StringComparer.Ordinal);

    // Since this time, other workers are given one lease's length to renew their leases.
    private long? _waitingSince;

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await PollAsync(stopping);
                await Task.Delay(TimeSpan.FromSeconds(settings.RescueSeconds * (0.8 + (0.4 * Random.Shared.NextDouble()))), time, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Polls once.</summary>
    public async Task PollAsync(CancellationToken cancellationToken)
    {
        var wasStopped = WasStopped();
        await keeper.RenewIfLateAsync(cancellationToken);
        if (_waitingSince is { } since)
        {
            if (time.GetElapsedTime(since) < _lease)
            {
                return;
            }
            _waitingSince = null;
        }
        else if (wasStopped)
        {
            // The machines of other workers may have been suspended too.
            _waitingSince = time.GetTimestamp();
            return;
        }
        await RescueAsync(cancellationToken);
    }

    /// <summary>
    /// Compares the monotonic timestamps, which include the time of a stopped process, and the clock, which includes that of a suspended
    /// machine.
    /// </summary>
    private bool WasStopped()
    {
        var (at, now) = (time.GetTimestamp(), time.GetUtcNow());
        var wasStopped = time.GetElapsedTime(_polledAt, at) > _longestRound || now - _polledAtTime > _longestRound;
        (_polledAt, _polledAtTime) = (at, now);
        return wasStopped;
    }

    private async Task RescueAsync(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var run in await queue.RescueAsync(completer.Running, _lease, cancellationToken))
            {
                if (run.IsToCancel)
                {
                    await CancelAsync(run, cancellationToken);
                    continue;
                }
                Telemetry.Rescues.Add(1);
                Log.RunRescued(logger, run.RunId, run.ThreadId, run.Crashes);
                if (run.IsDue)
                {
                    signals.Claimer.Set();
                }
            }
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            // No worker could renew its lease during the outage, which the store logs itself.
            _waitingSince = time.GetTimestamp();
        }
    }

    /// <summary>Cancels a lost run. If that fails, the other runs are not affected, and the next poll tries again.</summary>
    private async Task CancelAsync(RescuedRun lost, CancellationToken cancellationToken)
    {
        try
        {
            if (await control.CancelLostAsync(lost, cancellationToken) is not null)
            {
                Log.LostRunCancelled(logger, lost.RunId, lost.ThreadId);
                // The runs that wait behind it on its thread are due now.
                signals.Claimer.Set();
                signals.Relay.Set();
            }
            _notCancelled.Remove(lost.RunId);
        }
        catch (FaultException fault) when (fault.Code != FaultCodes.StoreUnavailable)
        {
            if (_notCancelled.Add(lost.RunId))
            {
                Log.LostRunNotCancelled(logger, lost.RunId, lost.ThreadId, fault.Message, fault.Code);
            }
        }
    }
}
