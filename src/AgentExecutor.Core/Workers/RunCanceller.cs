using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>Breaks off those of this worker's runs that someone asked to cancel, wherever he asked.</summary>
internal sealed class RunCanceller(IRunQueue queue, Lease lease, WorkerSettings settings, RunCompleter completer, TimeProvider time)
{
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(settings.RescueSeconds), time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            if (completer.Count == 0)
            {
                continue;
            }
            try
            {
                foreach (var run in await queue.CancelledAsync(lease, stopping))
                {
                    await completer.CancelAsync(run);
                }
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                // the store says so itself, once
            }
        }
    }
}
