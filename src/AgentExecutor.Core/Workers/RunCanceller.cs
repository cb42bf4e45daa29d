using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Workers;

/// <summary>Polls for requests to cancel runs of this worker, which any process may have stored, and cancels those runs.</summary>
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
                foreach (var run in await queue.FindCancelRequestsAsync(lease, stopping))
                {
                    await completer.CancelAsync(run);
                }
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                // The store logs its own outages.
            }
        }
    }
}
