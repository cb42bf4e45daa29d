using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>Claims runs for the free slots: after a wake-up, when a run ends, and at an interval in case a wake-up was lost.</summary>
internal sealed class RunClaimer(
    IRunQueue queue,
    Lease lease,
    WorkerSettings settings,
    RunCompleter completer,
    JobIntake intake,
    WorkerSignals signals,
    TimeProvider time
)
{
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (!await ClaimAsync(stopping))
                {
                    // The pause varies by 20 percent, so that the workers of a fleet do not poll all at once.
                    var pause = TimeSpan.FromSeconds(settings.PollSeconds * (0.8 + (0.4 * Random.Shared.NextDouble())));
                    await signals.Claimer.WaitAsync(pause, time, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Claims once. Returns true if there may be more runs to claim at once.</summary>
    private async Task<bool> ClaimAsync(CancellationToken stopping)
    {
        var free = settings.Slots - completer.Taken - intake.Submitting;
        if (free <= 0)
        {
            signals.MayHaveMore = true;
            return false;
        }
        try
        {
            var claimed = await queue.ClaimAsync(lease, free, stopping);
            foreach (var run in claimed)
            {
                completer.Begin(run);
            }
            signals.MayHaveMore = claimed.Length == free;
            return claimed.Length > 0;
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            // The store logs its own outages.
            return false;
        }
    }
}
