using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Sessions;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Executes the jobs of the bus and the runs of the queue until it is asked to stop. Each part has one task: the intake stores messages as
/// runs, the claimer claims waiting runs, the lease keeper renews their leases, the rescuer finds runs whose worker was lost, the canceller
/// handles requests to cancel, the completer executes each run to its end, the relays publish outcomes and other messages, the held
/// messages are acknowledged, the timer announces questions again and ends them at their deadline, the inbox takes answers by message, and
/// the listener wakes the claimer.
/// </summary>
public sealed class Worker(WorkerServices services, WorkerSettings settings, TimeProvider time, ILoggerFactory loggers)
{
    private static readonly TimeSpan RestartPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(3);

    private readonly ILogger _logger = loggers.CreateLogger<Worker>();
    private readonly LeaseKeeper _keeper = services.Keeper;

    /// <param name="grace">How long runs may take to reach their next checkpoint after the worker is asked to stop.</param>
    public async Task RunAsync(TimeSpan grace, CancellationToken stopping)
    {
        using var signals = new WorkerSignals();
        var lease = _keeper.Lease;
        var deadLetters = new DeadLetters(services.Bus, time);
        var heldMessages = new HeldMessages(services.Outbox, services.Bus, time);
        var relay = new ResultRelay(
            services.Outbox,
            services.Bus,
            heldMessages,
            services.Waiters,
            signals.Relay,
            time,
            loggers.CreateLogger<ResultRelay>(),
            services.Links
        );
        using var completer = new RunCompleter(
            services.Queue,
            services.Executor,
            deadLetters,
            settings,
            signals,
            time,
            loggers.CreateLogger<RunCompleter>()
        );
        var notices = new NoticeRelay(
            services.Outbox,
            services.Bus,
            heldMessages,
            signals.Notices,
            time,
            loggers.CreateLogger<NoticeRelay>(),
            services.Links
        );
        var timer = new InterruptTimer(
            services.Interrupts,
            services.Control.Answers,
            signals,
            time,
            loggers.CreateLogger<InterruptTimer>()
        );
        var inbox = new AnswerInbox(
            services.Bus,
            services.Control.Answers,
            deadLetters,
            () => signals.Claimer.Set(),
            time,
            loggers.CreateLogger<AnswerInbox>()
        );
        var rescuer = new RunRescuer(
            services.Queue,
            services.Control,
            _keeper,
            completer,
            settings,
            signals,
            time,
            loggers.CreateLogger<RunRescuer>()
        );
        var canceller = new RunCanceller(services.Queue, lease, settings, completer, time);
        var messages = new JobMessages(services.Admitter, deadLetters, settings.MaxDeliveries, loggers.CreateLogger<JobMessages>());
        var starter = new JobStarter(messages, services.Admitter, services.Control, heldMessages, completer, lease);
        var intake = new JobIntake(services.Bus, starter, heldMessages, completer, signals.Intake, time, loggers.CreateLogger<JobIntake>());
        var claimer = new RunClaimer(services.Queue, lease, settings, completer, intake, signals, time);

        using var stopKeeping = new CancellationTokenSource();
        completer.ShowFreeSlots();
        Log.WorkerStarted(_logger, lease.Holder, settings.Slots, settings.LeaseSeconds);
        var keeping = Task.WhenAll(
            KeepRunningAsync("keeper", _keeper.RunAsync, stopKeeping.Token),
            KeepRunningAsync("canceller", canceller.RunAsync, stopKeeping.Token),
            KeepRunningAsync("relay", relay.RunAsync, stopKeeping.Token),
            KeepRunningAsync("notices", notices.RunAsync, stopKeeping.Token),
            KeepRunningAsync("held messages", heldMessages.RunAsync, stopKeeping.Token),
            KeepRunningAsync("renewal of held messages", heldMessages.RenewAsync, stopKeeping.Token)
        );
        await Task.WhenAll(
            KeepRunningAsync("intake", intake.RunAsync, stopping),
            KeepRunningAsync("claimer", claimer.RunAsync, stopping),
            KeepRunningAsync("rescuer", rescuer.RunAsync, stopping),
            KeepRunningAsync("timer", timer.RunAsync, stopping),
            KeepRunningAsync("inbox", inbox.RunAsync, stopping),
            KeepRunningAsync("listener", token => ListenAsync(signals.Claimer, token), stopping)
        );
        Log.WorkerStopping(_logger, lease.Holder, completer.Count, grace.TotalSeconds);
        await completer.StopAsync(grace);
        // The leases are renewed until the last run is returned.
        await stopKeeping.CancelAsync();
        await keeping;
        await DrainAsync(relay, notices, heldMessages);
        Log.WorkerStopped(_logger, lease.Holder);
    }

    /// <summary>
    /// Publishes the last outcomes and returns the messages of unfinished jobs. Other workers take over what cannot be done in time.
    /// </summary>
    private async Task DrainAsync(ResultRelay relay, NoticeRelay notices, HeldMessages heldMessages)
    {
        using var limit = new CancellationTokenSource(DrainTimeout, time);
        try
        {
            while (await relay.RelayAsync(limit.Token) + await notices.RelayAsync(limit.Token) > 0) { }
            await heldMessages.ReturnAsync(limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // The bus redelivers the messages after their ack wait.
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
        {
            // The bus redelivers the messages after their ack wait.
        }
    }

    private async Task ListenAsync(WakeSignal wakeSignal, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await services.Queue.WaitAsync(stopping);
                wakeSignal.Set();
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                // The store logs its own outages. Until it answers, the claimer polls.
                await Task.Delay(RestartPause, time, stopping);
            }
        }
    }

    private Task KeepRunningAsync(string loop, Func<CancellationToken, Task> run, CancellationToken stopping) =>
        new RestartedLoop(loop, run, time, _logger).RunAsync(stopping);
}
