using System.Collections.Concurrent;
using AgentExecutor.Core.Runs;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>Has each claimed run executed, and sees to its end: says how it went, frees the slot, wakes the claimer.</summary>
internal sealed class RunCompleter(IRunQueue queue, RunExecutor executor, WorkerSettings settings, Nudge nudge, ILogger logger) : IDisposable
{
    private readonly ConcurrentDictionary<HeldRun, Task> _running = new();
    private readonly CancellationTokenSource _giveBack = new();
    private readonly CancellationTokenSource _abandon = new();

    /// <summary>How many runs are in hand.</summary>
    public int Count => _running.Count;

    public void Begin(ClaimedRun claimed)
    {
        var key = new HeldRun(claimed.Run.ThreadId, claimed.Run.Fence);
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _running[key] = CompleteAsync(key, claimed, start.Task);
        start.SetResult();
    }

    /// <summary>Gives all runs back: at their next checkpoint, and after the grace at once.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        _abandon.CancelAfter(grace);
        await _giveBack.CancelAsync();
        await Task.WhenAll(_running.Values);
    }

    public void Dispose()
    {
        _giveBack.Dispose();
        _abandon.Dispose();
    }

    private async Task CompleteAsync(HeldRun key, ClaimedRun claimed, Task start)
    {
        await start; // not on the claimer's time
        var run = claimed.Run;
        Log.RunTaken(logger, run.RunId, run.ThreadId, run.TraceId, run.Attempt);
        try
        {
            var outcome = await executor.ExecuteAsync(claimed, settings.MaxCrashes, new RunSignals(_giveBack.Token, _abandon.Token));
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
            nudge.Give();
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
}
