using AgentExecutor.Core.Queues;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Measures the store's backlog in the background and records it as metrics. While the store does not answer, the metrics keep the last
/// values.
/// </summary>
public sealed class BacklogSampler(IBacklog backlog, TimeProvider time)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>
    /// A pause lasts this many times as long as the measurement before it, so that a slow measurement of a long queue does not load the
    /// store.
    /// </summary>
    private const int PauseFactor = 200;

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            var started = time.GetTimestamp();
            await SampleAsync(stopping);
            var elapsed = time.GetElapsedTime(started);
            var pause = TimeSpan.FromTicks(Math.Clamp(elapsed.Ticks * PauseFactor, ShortestPause.Ticks, LongestPause.Ticks));
            await Task.Delay(pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Measures the backlog once. Returns false if the store did not answer in time.</summary>
    public async Task<bool> SampleAsync(CancellationToken stopping)
    {
        using var limit = new CancellationTokenSource(Deadline, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        try
        {
            var measured = await backlog.MeasureAsync(either.Token);
            Telemetry.RunnableJobs.Record(measured.RunnableJobs);
            Telemetry.OldestJobWait.Record(Math.Max(0, measured.OldestWait.TotalSeconds));
            Telemetry.OutboxLag.Record(Math.Max(0, measured.OutboxLag.TotalSeconds));
            return true;
        }
        catch (Exception)
        {
            // The store logs its own outages and /ready reports them. The next measurement may succeed.
            return false;
        }
    }
}
