using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>Takes runs for the free slots, and no more: at a wake-up, when a run ends, and now and then in case a wake-up was lost.</summary>
internal sealed class RunClaimer(IRunQueue queue, Lease lease, WorkerSettings settings, Func<int> taken, RunCompleter completer, Nudge nudge, TimeProvider time)
{
    /// <summary>The last look left runs that wait, or there was no room to look.</summary>
    public bool MayHaveMore { get; private set; } = true;

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (!await ClaimAsync(stopping))
                {
                    // A little early or late, so that the workers of a fleet do not look all at once.
                    var pause = TimeSpan.FromSeconds(settings.PollSeconds * (0.8 + (0.4 * Random.Shared.NextDouble())));
                    await nudge.WaitAsync(pause, time, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>True where there may be more at once.</summary>
    private async Task<bool> ClaimAsync(CancellationToken stopping)
    {
        var free = settings.Slots - taken();
        if (free <= 0)
        {
            MayHaveMore = true;
            return false;
        }
        try
        {
            var claimed = await queue.ClaimAsync(lease, free, stopping);
            foreach (var run in claimed)
            {
                completer.Begin(run);
            }
            MayHaveMore = claimed.Length == free;
            return claimed.Length > 0;
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            return false; // the store says so itself, once
        }
    }
}
