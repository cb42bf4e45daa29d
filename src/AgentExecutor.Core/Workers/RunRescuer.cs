using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>Makes runs whose worker let the lease run out due again. Every worker has one; whichever looks first does it.</summary>
internal sealed class RunRescuer(IRunQueue queue, WorkerSettings settings, Nudge nudge, TimeProvider time, ILogger logger)
{
    private readonly TimeSpan _lease = TimeSpan.FromSeconds(settings.LeaseSeconds);
    private long? _outage; // when the store was last found away

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
        if (_outage is { } since && time.GetElapsedTime(since) < _lease)
        {
            return; // leases ran out because nobody could renew them: their holders are given the time to
        }
        try
        {
            foreach (var run in await queue.RescueAsync(_lease, cancellationToken))
            {
                Log.RunRescued(logger, run.RunId, run.ThreadId, run.Crashes);
                if (run.IsDue)
                {
                    nudge.Give();
                }
            }
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            _outage = time.GetTimestamp(); // the store says so itself, once
        }
    }
}
