using AgentExecutor.Core.Jobs;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Runs what the bus and the queue have, until it is asked to stop. Small agents do it, each with one job: the intake takes messages and makes them runs, the
/// claimer takes runs that wait, the keeper renews their leases, the rescuer finds those whose worker died, the canceller breaks off what is to be cancelled,
/// the completer sees each to its end, the relay announces the outcomes, the ledger acknowledges the messages, and the listener wakes the claimer.
/// </summary>
public sealed class Worker(WorkerServices services, WorkerSettings settings, TimeProvider time, ILoggerFactory loggers)
{
    private static readonly TimeSpan RestartPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRelay = TimeSpan.FromSeconds(3);

    private readonly ILogger _logger = loggers.CreateLogger<Worker>();
    private readonly LeaseKeeper _keeper = services.Keeper;

    /// <param name="grace">How long runs may take to reach their next checkpoint once the worker is asked to stop.</param>
    public async Task RunAsync(TimeSpan grace, CancellationToken stopping)
    {
        using var claimNudge = new Nudge();
        using var intakeNudge = new Nudge();
        using var relayNudge = new Nudge();
        RunClaimer? claimer = null;
        var deadLetters = new DeadLetters(services.Bus, time);
        var ledger = new JobLedger(services.Outbox, services.Queue, services.AckWait, time);
        var relay = new ResultRelay(services.Outbox, services.Bus, ledger, services.Waits, relayNudge, time, loggers.CreateLogger<ResultRelay>());
        using var completer = new RunCompleter(services.Queue, services.Executor, deadLetters, settings, Ended, RoomMade, time, loggers.CreateLogger<RunCompleter>());
        void Ended(ClaimedRun run)
        {
            intakeNudge.Give();
            relayNudge.Give();
            if (!run.IsNewThread || claimer!.MayHaveMore) // a run that came with its message made room for nobody in the queue
            {
                claimNudge.Give();
            }
        }
        void RoomMade()
        {
            intakeNudge.Give();
            if (claimer!.MayHaveMore)
            {
                claimNudge.Give();
            }
        }
        var rescuer = new RunRescuer(services.Queue, settings, claimNudge, time, loggers.CreateLogger<RunRescuer>());
        var canceller = new RunCanceller(services.Queue, _keeper.Lease, settings, completer, time);
        var intake = new JobIntake(
            services.Bus, services.Desk, ledger, deadLetters, completer, services.Control, _keeper.Lease, settings, intakeNudge, time,
            loggers.CreateLogger<JobIntake>());
        claimer = new RunClaimer(services.Queue, _keeper.Lease, settings, () => completer.Taken + intake.Admitting, completer, claimNudge, time);

        using var stopKeeping = new CancellationTokenSource();
        Log.WorkerStarted(_logger, _keeper.Lease.Holder, settings.Slots, settings.LeaseSeconds);
        var keeping = Task.WhenAll(
            KeepGoingAsync("keeper", _keeper.RunAsync, stopKeeping.Token),
            KeepGoingAsync("canceller", canceller.RunAsync, stopKeeping.Token),
            KeepGoingAsync("relay", relay.RunAsync, stopKeeping.Token),
            KeepGoingAsync("ledger", ledger.RunAsync, stopKeeping.Token));
        await Task.WhenAll(
            KeepGoingAsync("intake", intake.RunAsync, stopping),
            KeepGoingAsync("claimer", claimer.RunAsync, stopping),
            KeepGoingAsync("rescuer", rescuer.RunAsync, stopping),
            KeepGoingAsync("listener", token => ListenAsync(claimNudge, token), stopping));
        Log.WorkerStopping(_logger, _keeper.Lease.Holder, completer.Count, grace.TotalSeconds);
        await completer.StopAsync(grace);
        await stopKeeping.CancelAsync(); // leases are kept until the last run is given back
        await keeping;
        await HandOverAsync(relay, ledger);
        Log.WorkerStopped(_logger, _keeper.Lease.Holder);
    }

    /// <summary>Announces what has ended, and returns the messages of what has not; what cannot be done in time others do.</summary>
    private async Task HandOverAsync(ResultRelay relay, JobLedger ledger)
    {
        using var limit = new CancellationTokenSource(LastRelay, time);
        try
        {
            while (await relay.RelayAsync(limit.Token) > 0)
            {
            }
            await ledger.ReturnAsync(limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // the messages come again by themselves
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
        {
            // likewise
        }
    }

    private async Task ListenAsync(Nudge nudge, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await services.Queue.WaitAsync(stopping);
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
