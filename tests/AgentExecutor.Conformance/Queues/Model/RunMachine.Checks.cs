using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Conformance.Queues.Model;

/// <summary>Deletion, publication of outcomes, and the checks after each command and at the end.</summary>
internal sealed partial class RunMachine
{
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(30);

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    private async Task DeleteAsync(string thread, bool breaksOff)
    {
        var life = LifeOf(thread);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var mayDelete = life.Holder is null && !life.Runs.Values.Any(run => run.Status == RunStatus.Pending);
        try
        {
            var deleting = checkpoints.DeleteThreadAsync(thread, stop.Token);
            if (breaksOff)
            {
                await stop.CancelAsync();
            }
            await deleting;
            var isRest = _brokenOff.Remove(thread); // of an earlier thread with this id
            Require(mayDelete || isRest, $"{thread} is deleted, and it is in use");
            if (mayDelete)
            {
                BeginLife(thread);
            }
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.ThreadBusy)
        {
            // The thread is in use, or has an unpublished outcome.
        }
        catch (Exception exception)
            when (breaksOff && exception is OperationCanceledException or FaultException { Code: FaultCodes.StoreUnavailable })
        {
            if (mayDelete)
            {
                life.IsDeleting = true;
                _brokenOff.Add(thread);
            }
        }
    }

    /// <summary>Checks that of a thread whose deletion was interrupted only a run that was submitted since remains.</summary>
    private async Task<bool> IsGoneAsync(string thread, ThreadLife life, string submitted)
    {
        foreach (var id in life.Runs.Keys.Where(id => id != submitted))
        {
            if (await queue.FindAsync(thread, id, cancel) is not null)
            {
                return false;
            }
        }
        return true;
    }

    private async Task AnnounceAsync()
    {
        await outbox.RelayAsync(
            1_000,
            (outcomes, _) =>
            {
                foreach (var outcome in outcomes.Where(it => _lives.ContainsKey(it.Run.ThreadId)))
                {
                    var name = $"{outcome.Run.ThreadId}/{outcome.Run.RunId}";
                    Require(
                        _lives[outcome.Run.ThreadId].Runs.TryGetValue(outcome.Run.RunId, out var run),
                        $"an outcome of {name} is announced, and there is no such run"
                    );
                    Require(
                        !run!.Announced.Any(IsFinal),
                        $"{name} is announced as {outcome.Status} after {string.Join(", ", run.Announced)}"
                    );
                    run.Announced.Add(outcome.Status);
                }
                return Task.CompletedTask;
            },
            cancel
        );
    }

    /// <summary>Checks that each run has the state of the model, and that no fencing token has decreased.</summary>
    private async Task CheckAsync()
    {
        foreach (var (thread, life) in _lives)
        {
            if (await runs.FindAsync(thread, cancel) is { } newest)
            {
                Require(newest.Fence >= life.Fence, $"the fence of {thread} is {newest.Fence}, and it was {life.Fence}");
                life.Fence = newest.Fence;
            }
            foreach (var (id, run) in life.Runs)
            {
                var stands = (await queue.FindAsync(thread, id, cancel))?.Status;
                var isGone = stands is null && life.IsDeleting;
                Require(stands == run.Status || isGone, $"{thread}/{id} is {stands?.ToString() ?? "gone"}, and it should be {run.Status}");
            }
        }
        for (var worker = 0; worker < RunCommand.Workers; worker++)
        {
            var asked = (await queue.FindCancelRequestsAsync(LeaseOf(worker), cancel))
                .Where(run => _lives.ContainsKey(run.ThreadId))
                .ToHashSet();
            var expected = Holders.Where(claim => claim.Worker == worker && claim.Life.Runs[claim.Run.RunId].IsCancelAccepted).Select(Held);
            Require(asked.SetEquals(expected), $"worker {worker} is asked to cancel {string.Join(", ", asked)}");
        }
    }

    /// <summary>All workers are lost. Another worker rescues their runs and completes all waiting runs.</summary>
    private async Task DrainAsync()
    {
        for (var worker = 0; worker < RunCommand.Workers; worker++)
        {
            await FreezeAsync(worker);
        }
        await AnnounceAsync();
        foreach (var thread in _brokenOff.ToList())
        {
            await DeleteAsync(thread, breaksOff: false);
        }
        var started = TimeProvider.System.GetTimestamp();
        while (Open().Count > 0)
        {
            Require(
                TimeProvider.System.GetElapsedTime(started) < DrainLimit,
                $"these runs are never taken again: {string.Join(", ", Open())}"
            );
            await RescueAsync(null);
            await ClaimAsync(0, 100);
            foreach (var claim in Holders.Where(claim => !claim.HasExpired).ToList())
            {
                await StoreAsync(claim, claim.Life.Runs[claim.Run.RunId].IsCancelAccepted ? StoreKind.Cancel : StoreKind.Complete);
            }
            await CheckAsync();
        }
        await AnnounceAsync();
        foreach (var (name, run) in _lives.SelectMany(life => life.Value.Runs.Select(run => ($"{life.Key}/{run.Key}", run.Value))))
        {
            Require(
                !run.IsCancelAccepted || run.Status == RunStatus.Cancelled,
                $"{name} is {run.Status}, and its cancellation was accepted"
            );
            Require(
                !IsFinal(run.Status) || run.Announced.LastOrDefault() == run.Status,
                $"{name} is {run.Status}, and announced as {string.Join(", ", run.Announced)}"
            );
        }
    }

    private List<string> Open() =>
        [
            .. _lives.SelectMany(life =>
                life.Value.Runs.Where(run => run.Value.Status is RunStatus.Pending or RunStatus.Running)
                    .Select(run => $"{life.Key}/{run.Key}")
            ),
        ];

    /// <summary>Acquires a thread that no worker holds for one commit, as a cancellation or a resumption does.</summary>
    private async Task AcquireAsync(Run run, Func<Run, DateTimeOffset, RunChange> transition)
    {
        var changed = transition(Start.Apply(run, Now).Run, Now).Run;
        var refused = await TryStoreAsync(changed, new Lease("control", TimeSpan.FromMinutes(5)), acquires: true);
        var life = LifeOf(run.ThreadId);
        Require(refused is null || life.IsDeleting, $"{Name(run)} cannot become {changed.Status}: {refused}");
        if (refused is null)
        {
            (life.Runs[run.RunId].Status, life.Fence) = (changed.Status, changed.Fence);
        }
    }

    /// <summary>Returns the code of the fault, or null if the commit was stored.</summary>
    private async Task<string?> TryStoreAsync(Run run, Lease lease, bool acquires = false, bool hasCheckpoint = false)
    {
        var isOutcome = run.Status is not (RunStatus.Running or RunStatus.Pending);
        var commit = new StepCommit
        {
            ThreadId = run.ThreadId,
            Fence = run.Fence,
            Run = run,
            Lease = lease,
            Acquires = acquires,
            Checkpoint = hasCheckpoint
                ? new StoredCheckpoint
                {
                    ThreadId = run.ThreadId,
                    Namespace = "",
                    Id = $"c{++_stored:d6}",
                    Due = "[]"u8.ToArray(),
                }
                : null,
            Result = isOutcome ? new StoredResult(run.LastSequence, "{}"u8.ToArray()) : null,
        };
        try
        {
            await checkpoints.CommitAsync(commit, cancel);
            return null;
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.LeaseLost or FaultCodes.ThreadBusy or FaultCodes.CancelRequested)
        {
            return fault.Code;
        }
    }

    private ThreadLife LifeOf(string thread) => _lives.TryGetValue(thread, out var life) ? life : BeginLife(thread);

    /// <summary>
    /// Starts a new thread with the same id. The claims of the earlier thread remain: their commits are rejected, because the fencing
    /// tokens of the later thread are greater.
    /// </summary>
    private ThreadLife BeginLife(string thread) => _lives[thread] = new ThreadLife { Fence = _lives.GetValueOrDefault(thread)?.Fence ?? 0 };

    private string Thread(int number) => $"{prefix}t{number}";

    private static bool IsFinal(RunStatus status) => status is RunStatus.Completed or RunStatus.Cancelled;

    private static string Name(Run run) => $"{run.ThreadId}/{run.RunId}";

    private static HeldRun Held(WorkerClaim claim) => new(claim.Run.ThreadId, claim.Run.Fence);

    private static Lease LeaseOf(int worker) => new($"worker-{worker}", TimeSpan.FromMinutes(5));

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ModelException(otherwise);
        }
    }
}

/// <summary>The store has violated the model.</summary>
internal sealed class ModelException(string message) : Exception(message);
