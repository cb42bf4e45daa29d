using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>Makes runs whose worker let the lease run out due again. Every worker has one; whichever looks first does it.</summary>
internal sealed class RunRescuer(IRunQueue queue, WorkerSettings settings, Nudge nudge, TimeProvider time, ILogger logger)
{
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await RescueAsync(stopping);
                await Task.Delay(TimeSpan.FromSeconds(settings.RescueSeconds * (0.8 + (0.4 * Random.Shared.NextDouble()))), time, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task RescueAsync(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var run in await queue.RescueAsync(cancellationToken))
            {
                Log.RunRescued(logger, run.RunId, run.ThreadId, run.Crashes);
                nudge.Give();
            }
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            // the store says so itself, once
        }
    }
}
