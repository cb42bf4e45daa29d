using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>Executes each claimed run and handles its end: logs the outcome, frees the slot and wakes the claimer.</summary>
internal sealed class RunCompleter(
    IRunQueue queue,
    RunExecutor executor,
    DeadLetters? deadLetters,
    WorkerSettings settings,
    WorkerSignals signals,
    TimeProvider time,
    ILogger logger
) : IRunSlots, IDisposable
{
    /// <summary>How long the store may take to store the runs that are returned to the queue after the grace period.</summary>
    private static readonly TimeSpan RequeueTimeout = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<HeldRun, RunningRun> _running = new();
    private readonly CancellationTokenSource _requeue = new();
    private readonly CancellationTokenSource _abandon = new();
    private readonly Lock _slotsGate = new();
    private int _waiting;
    private int _freeShown;
    private bool _isStopping;

    /// <summary>The runs that this worker executes now.</summary>
    public ImmutableArray<HeldRun> Running => [.. _running.Keys];

    /// <summary>How many runs this worker executes now.</summary>
    public int Count => _running.Count;

    /// <summary>How many of these runs only wait and have released their slots. They continue without waiting for a free slot.</summary>
    public int Waiting => Math.Min(Volatile.Read(ref _waiting), settings.MaxWaiting);

    public int Total => settings.Slots;

    /// <summary>How many slots are occupied.</summary>
    public int Taken => Count - Waiting;

    public void Begin(ClaimedRun claimed)
    {
        var key = new HeldRun(claimed.Run.ThreadId, claimed.Run.Fence);
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var cancel = new CancellationTokenSource();
        _running[key] = new RunningRun(CompleteAsync(key, claimed, start.Task, cancel.Token), cancel);
        ShowFreeSlots();
        start.SetResult();
    }

    /// <summary>Returns all runs to the queue: at their next checkpoint, or at once when the grace period is over.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        _isStopping = true;
        ShowFreeSlots();
        _abandon.CancelAfter(grace);
        await _requeue.CancelAsync();
        try
        {
            await Task.WhenAll(_running.Values.Select(static held => held.Completion)).WaitAsync(grace + RequeueTimeout, time);
        }
        catch (TimeoutException)
        {
            // The store does not answer. The leases of these runs expire, and other workers claim them.
        }
    }

    /// <summary>Cancels the run if this worker still executes it.</summary>
    public async Task CancelAsync(HeldRun run)
    {
        if (_running.TryGetValue(run, out var held))
        {
            await held.Cancel.CancelAsync();
        }
    }

    public void Dispose()
    {
        _requeue.Dispose();
        _abandon.Dispose();
    }

    private async Task CompleteAsync(HeldRun key, ClaimedRun claimed, Task start, CancellationToken cancel)
    {
        // Runs on the thread pool, so that it does not delay the claimer.
        await start;
        var run = claimed.Run;
        using var slot = new WorkerSlot(OnSlotChanged, time);
        Log.RunTaken(logger, run.RunId, run.ThreadId, run.TraceId, run.Attempt);
        try
        {
            await DeadLetterCrashedAsync(claimed);
            var signals = new RunSignals(_requeue.Token, _abandon.Token, cancel) { Activity = new RunActivity(slot.SetWaiting) };
            var outcome = await executor.ExecuteAsync(claimed, settings.MaxCrashes, signals);
            LogOutcome(outcome.Run);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.LeaseLost)
        {
            Log.LeaseLost(logger, run.ThreadId, run.RunId, run.TraceId);
            await UncountCrashAsync(key);
        }
        catch (FaultException fault)
        {
            Log.RunLeft(logger, run.RunId, run.ThreadId, run.TraceId, fault.Message, fault.Code);
        }
        catch (Exception exception)
        {
            // An unexpected error ends this run only. The worker continues with the others.
            Log.RunBroken(logger, exception, run.RunId, run.ThreadId, run.TraceId);
        }
        finally
        {
            _running.TryRemove(key, out _);
            ShowFreeSlots();
            signals.RunEnded(claimed);
        }
    }

    /// <summary>
    /// Updates the metric of free slots, which is 0 while the worker shuts down. The metric adds up changes, so the lock makes them one at
    /// a time.
    /// </summary>
    public void ShowFreeSlots()
    {
        lock (_slotsGate)
        {
            var free = _isStopping ? 0 : Math.Max(0, settings.Slots - Taken);
            Telemetry.FreeSlots.Add(free - _freeShown);
            _freeShown = free;
        }
    }

    private void OnSlotChanged(bool isReleased)
    {
        if (isReleased)
        {
            Interlocked.Increment(ref _waiting);
            ShowFreeSlots();
            signals.SlotReleased();
        }
        else
        {
            Interlocked.Decrement(ref _waiting);
            ShowFreeSlots();
        }
    }

    /// <summary>Copies a job that has repeatedly lost its worker to the dead letters before it fails.</summary>
    private async Task DeadLetterCrashedAsync(ClaimedRun claimed)
    {
        if (claimed.Crashes >= settings.MaxCrashes && deadLetters is not null)
        {
            var reason = $"{claimed.Crashes} workers crashed or lost the lease while they executed this job";
            await deadLetters.PutAsync(claimed, FaultCodes.WorkerCrashed, reason, CancellationToken.None);
        }
    }

    /// <summary>Removes the crash that was counted for the run: its worker renewed the lease too late, but it has not crashed.</summary>
    private async Task UncountCrashAsync(HeldRun lost)
    {
        try
        {
            await queue.UncountCrashAsync([lost], CancellationToken.None);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            // The store logs its own outages. The crash stays counted.
        }
    }

    private void LogOutcome(Run run)
    {
        if (run.Failure is { } failure)
        {
            Log.RunFailed(logger, run.RunId, run.ThreadId, run.TraceId, failure.Message, failure.Code);
        }
        var status = run.Status == RunStatus.Pending ? "returned to the queue" : run.Status.ToString().ToLowerInvariant();
        Log.RunEnded(logger, run.RunId, run.ThreadId, run.TraceId, status, run.Usage.Supersteps, Math.Round(run.Usage.ActiveSeconds, 3));
    }

    /// <summary>A run that this worker executes. The CancellationTokenSource has no timer, so it needs no disposal.</summary>
    private sealed record RunningRun(Task Completion, CancellationTokenSource Cancel);
}
