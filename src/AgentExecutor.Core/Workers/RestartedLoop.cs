using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Runs a background loop until it is cancelled. A loop that fails is logged and started again, so that a fault never ends a part of a
/// worker silently. The delay before a restart doubles from one second up to thirty seconds, and starts at one second again after the loop
/// has run for a minute.
/// </summary>
/// <param name="name">The loop's name in the log.</param>
/// <param name="run">Runs the loop until its token is cancelled.</param>
/// <param name="time">Measures the delays.</param>
/// <param name="logger">Receives the failures.</param>
public sealed class RestartedLoop(string name, Func<CancellationToken, Task> run, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Stable = TimeSpan.FromMinutes(1);

    public async Task RunAsync(CancellationToken stopping)
    {
        var delay = FirstDelay;
        while (!stopping.IsCancellationRequested)
        {
            var started = time.GetTimestamp();
            try
            {
                await run(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) // Whatever the error was, this loop is started again and the others continue.
            {
                delay = time.GetElapsedTime(started) >= Stable ? FirstDelay : delay;
                Log.LoopFailed(logger, exception, name, delay.TotalSeconds);
                await Task.Delay(delay, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
            }
        }
    }
}
