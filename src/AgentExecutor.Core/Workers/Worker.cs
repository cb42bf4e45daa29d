using AgentExecutor.Core.Runs;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Runs what the queue has, until it is asked to stop. Small agents do it, each with one job: the claimer takes runs, the keeper renews their leases, the
/// rescuer finds those whose worker died, the completer sees each to its end, and the listener wakes the claimer.
/// </summary>
public sealed class Worker(IRunQueue queue, RunExecutor executor, LeaseKeeper keeper, WorkerSettings settings, TimeProvider time, ILoggerFactory loggers)
{
    private static readonly TimeSpan RestartPause = TimeSpan.FromSeconds(1);

    private readonly ILogger _logger = loggers.CreateLogger<Worker>();

    /// <param name="grace">How long runs may take to reach their next checkpoint once the worker is asked to stop.</param>
    public async Task RunAsync(TimeSpan grace, CancellationToken stopping)
    {
        using var nudge = new Nudge();
        using var completer = new RunCompleter(queue, executor, settings, nudge, loggers.CreateLogger<RunCompleter>());
        var claimer = new RunClaimer(queue, keeper.Lease, settings, completer, nudge, time);
        var rescuer = new RunRescuer(queue, settings, nudge, time, loggers.CreateLogger<RunRescuer>());
        using var stopKeeping = new CancellationTokenSource();
        Log.WorkerStarted(_logger, keeper.Lease.Holder, settings.Slots, settings.LeaseSeconds);
        var keeping = KeepGoingAsync("keeper", keeper.RunAsync, stopKeeping.Token);
        await Task.WhenAll(
            KeepGoingAsync("claimer", claimer.RunAsync, stopping),
            KeepGoingAsync("rescuer", rescuer.RunAsync, stopping),
            KeepGoingAsync("listener", token => ListenAsync(nudge, token), stopping));
        Log.WorkerStopping(_logger, keeper.Lease.Holder, completer.Count, grace.TotalSeconds);
        await completer.StopAsync(grace);
        await stopKeeping.CancelAsync(); // leases are kept until the last run is given back
        await keeping;
        Log.WorkerStopped(_logger, keeper.Lease.Holder);
    }

    private async Task ListenAsync(Nudge nudge, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await queue.WaitAsync(stopping);
                nudge.Give();
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                await Task.Delay(RestartPause, time, stopping); // the store says so itself, once; meanwhile the poll stands in
            }
        }
    }

    /// <summary>An agent that fails is started again: no fault of one may stop the worker.</summary>
    private async Task KeepGoingAsync(string agent, Func<CancellationToken, Task> run, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await run(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) // the border of an agent
            {
                Log.AgentFailed(_logger, exception, agent);
                await Task.Delay(RestartPause, time, CancellationToken.None);
            }
        }
    }
}
