using System.Collections.Concurrent;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Runs;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>Has each claimed run executed, and sees to its end: says how it went, frees the slot, wakes the claimer.</summary>
internal sealed class RunCompleter(
    IRunQueue queue, RunExecutor executor, DeadLetters? deadLetters, WorkerSettings settings, Action<ClaimedRun> ended, Action roomMade, TimeProvider time, ILogger logger) : IDisposable
{
    /// <summary>How long a store may take to store what is given back, once the grace is over.</summary>
    private static readonly TimeSpan GiveBackLimit = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<HeldRun, Held> _running = new();
    private readonly CancellationTokenSource _giveBack = new();
    private readonly CancellationTokenSource _abandon = new();
    private int _waiting;

    /// <summary>How many runs are in hand.</summary>
    public int Count => _running.Count;

    /// <summary>How many of them do nothing but wait, and have given their places away. When they go on they need not wait for a place.</summary>
    public int Waiting => Math.Min(Volatile.Read(ref _waiting), settings.MaxWaiting);

    /// <summary>How many places are taken.</summary>
    public int Taken => Count - Waiting;

    public void Begin(ClaimedRun claimed)
    {
        var key = new HeldRun(claimed.Run.ThreadId, claimed.Run.Fence);
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var cancel = new CancellationTokenSource();
        _running[key] = new Held(CompleteAsync(key, claimed, start.Task, cancel.Token), cancel);
        start.SetResult();
    }

    /// <summary>Gives all runs back: at their next checkpoint, and after the grace at once.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        _abandon.CancelAfter(grace);
        await _giveBack.CancelAsync();
        try
        {
            await Task.WhenAll(_running.Values.Select(static held => held.Completion)).WaitAsync(grace + GiveBackLimit, time);
        }
        catch (TimeoutException)
        {
            // the store is away: their leases run out, and others take them
        }
    }

    /// <summary>Breaks the run off for good, if it is in hand still.</summary>
    public async Task CancelAsync(HeldRun run)
    {
        if (_running.TryGetValue(run, out var held))
        {
            await held.Cancel.CancelAsync();
        }
    }

    public void Dispose()
    {
        _giveBack.Dispose();
        _abandon.Dispose();
    }

    private async Task CompleteAsync(HeldRun key, ClaimedRun claimed, Task start, CancellationToken cancel)
    {
        await start; // not on the claimer's time
        var run = claimed.Run;
        using var place = new Place(MakeRoom, time);
        Log.RunTaken(logger, run.RunId, run.ThreadId, run.TraceId, run.Attempt);
        try
        {
            await BuryPoisonAsync(claimed);
            var outcome = await executor.ExecuteAsync(claimed, settings.MaxCrashes, new RunSignals(_giveBack.Token, _abandon.Token, cancel) { Activity = new RunActivity(place.Wait) });
            Tell(outcome.Run);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.LeaseLost)
        {
            Log.LeaseLost(logger, run.ThreadId, run.RunId, run.TraceId);
            await AcquitAsync(key);
        }
        catch (FaultException fault)
        {
            Log.RunLeft(logger, run.RunId, run.ThreadId, run.TraceId, fault.Message, fault.Code);
        }
        catch (Exception exception) // the border of a run: the worker goes on with the others
        {
            Log.RunBroken(logger, exception, run.RunId, run.ThreadId, run.TraceId);
        }
        finally
        {
            _running.TryRemove(key, out _);
            ended(claimed);
        }
    }

    private void MakeRoom(bool isGiven)
    {
        if (isGiven)
        {
            Interlocked.Increment(ref _waiting);
            roomMade();
        }
        else
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>A job that its workers die of is put aside for a person before it fails.</summary>
    private async Task BuryPoisonAsync(ClaimedRun claimed)
    {
        if (claimed.Crashes >= settings.MaxCrashes && deadLetters is not null)
        {
            await deadLetters.PutAsync(claimed, FaultCodes.WorkerCrashed, $"{claimed.Crashes} workers died running it", CancellationToken.None);
        }
    }

    /// <summary>Slow is not dead: the run is not to blame for a lease that its worker renewed too late.</summary>
    private async Task AcquitAsync(HeldRun lost)
    {
        try
        {
            await queue.AcquitAsync([lost], CancellationToken.None);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            // the store says so itself, once; the crash stays counted
        }
    }

    private void Tell(Run run)
    {
        if (run.Failure is { } failure)
        {
            Log.RunFailed(logger, run.RunId, run.ThreadId, run.TraceId, failure.Message, failure.Code);
        }
        var status = run.Status == RunStatus.Pending ? "given back" : run.Status.ToString().ToLowerInvariant();
        Log.RunEnded(logger, run.RunId, run.ThreadId, run.TraceId, status, run.Usage.Supersteps, Math.Round(run.Usage.ActiveSeconds, 3));
    }

    /// <summary>A run in hand. Its source has no timer and needs no disposal.</summary>
    private sealed record Held(Task Completion, CancellationTokenSource Cancel);
}
