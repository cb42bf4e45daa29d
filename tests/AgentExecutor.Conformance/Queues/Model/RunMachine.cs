using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Conformance.Queues.Model;

/// <summary>
/// Applies commands to a store as workers, callers and retention do, and compares the store with a model after each of them:
/// <list type="bullet">
/// <item>A completed or cancelled run never changes again, and a failed run changes only if it is resumed.</item>
/// <item>The fencing tokens of a thread id only grow, even if the thread is deleted and created again. At most one claim holds a thread,
/// and commits of other claims are rejected.</item>
/// <item>A run whose cancellation was accepted ends as cancelled with one outcome, whatever else happens.</item>
/// <item>No run is lost: at the end each run has ended, failed, or waits for a person.</item>
/// </list>
/// </summary>
internal sealed partial class RunMachine(
    IRunQueue queue,
    IOutbox outbox,
    ICheckpointStore checkpoints,
    IRunStore runs,
    string prefix,
    CancellationToken cancel
)
{
    private readonly Dictionary<string, ThreadLife> _lives = new(StringComparer.Ordinal);
    private readonly List<WorkerClaim>[] _claims = [.. Enumerable.Range(0, RunCommand.Workers).Select(_ => new List<WorkerClaim>())];
    private readonly HashSet<string> _brokenOff = new(StringComparer.Ordinal); // threads whose deletion was interrupted
    private int _stored;

    private IEnumerable<WorkerClaim> Holders => _lives.Values.Select(life => life.Holder).OfType<WorkerClaim>();

    public async Task RunAsync(IReadOnlyList<RunCommand> commands)
    {
        foreach (var command in commands)
        {
            await ApplyAsync(command);
            await CheckAsync();
        }
        await DrainAsync();
    }

    private Task ApplyAsync(RunCommand command) =>
        command switch
        {
            RunCommand.Submit submit => SubmitAsync(submit),
            RunCommand.Claim claim => ClaimAsync(claim.Worker, claim.AtMost),
            RunCommand.Renew renew => RenewAsync(renew.Worker),
            RunCommand.Freeze freeze => FreezeAsync(freeze.Worker),
            RunCommand.Store { Worker: var worker } store when _claims[worker].Count > 0 => StoreAsync(
                _claims[worker][store.Index % _claims[worker].Count],
                store.Kind
            ),
            RunCommand.Cancel asked => CancelAsync(Thread(asked.Thread)),
            RunCommand.Rescue rescue => RescueAsync(rescue.Worker),
            RunCommand.Resume resume => ResumeAsync(Thread(resume.Thread)),
            RunCommand.Delete delete => DeleteAsync(Thread(delete.Thread), delete.BreaksOff),
            RunCommand.Prune prune => checkpoints.PruneAsync(Thread(prune.Thread), 1, cancel).AsTask(),
            RunCommand.Announce => AnnounceAsync(),
            _ => Task.CompletedTask,
        };

    private async Task SubmitAsync(RunCommand.Submit submit)
    {
        var (thread, id) = (Thread(submit.Thread), $"r{submit.Run}");
        var run = new Run
        {
            ThreadId = thread,
            RunId = id,
            DefinitionHash = "h",
            CreatedAt = Now,
            UpdatedAt = Now,
        };
        var submission = new RunSubmission(run, new StoredDefinition("h", "{}"u8.ToArray()), "{}"u8.ToArray());
        var submitted = (await queue.SubmitAsync([submission], submit.TakenBy is { } worker ? LeaseOf(worker) : null, cancel))[0];
        var life = LifeOf(thread);
        if (!submitted.IsNew)
        {
            Require(life.Runs.ContainsKey(id), $"{thread}/{id} is reported as known, but was not submitted");
            return;
        }
        if (life.IsDeleting && await IsGoneAsync(thread, life, id))
        {
            life = BeginLife(thread); // the thread contains only the submitted run
        }
        Require(life.Runs.TryAdd(id, new RunLife()), $"{thread}/{id} was submitted before and is new again");
        if (submitted.Claimed is { } claimed)
        {
            Took(submit.TakenBy!.Value, claimed);
        }
    }

    private async Task ClaimAsync(int worker, int atMost)
    {
        foreach (var claimed in await queue.ClaimAsync(LeaseOf(worker), atMost, cancel))
        {
            if (!claimed.Run.ThreadId.StartsWith(prefix, StringComparison.Ordinal)) // left over from a failed sequence
            {
                await TryStoreAsync(Cancel.Apply(claimed.Run, Now).Run, LeaseOf(worker));
                continue;
            }
            Took(worker, claimed);
        }
    }

    private void Took(int worker, ClaimedRun claimed)
    {
        var (life, name) = (LifeOf(claimed.Run.ThreadId), Name(claimed.Run));
        Require(life.Runs.TryGetValue(claimed.Run.RunId, out var run), $"{name} is claimed, but was not submitted");
        Require(life.Holder is null, $"{name} is claimed, and another claim has its thread");
        Require(run!.Status == RunStatus.Pending, $"{name} is claimed, and it is {run.Status}");
        Require(claimed.Run.Fence > life.Fence, $"{name} is claimed with fence {claimed.Run.Fence}, and {life.Fence} was used before");
        var claim = new WorkerClaim(worker, claimed.Run, life);
        (run.Status, life.Fence, life.Holder) = (RunStatus.Running, claimed.Run.Fence, claim);
        _claims[worker].Add(claim);
    }

    private async Task RenewAsync(int worker)
    {
        var still = await queue.RenewAsync(LeaseOf(worker), [.. _claims[worker].Select(Held).Distinct()], cancel);
        var expected = _claims[worker].Where(claim => claim.IsHolder).Select(Held).ToImmutableHashSet();
        Require(still.SetEquals(expected), $"worker {worker} renewed {string.Join(", ", still)}, and has {string.Join(", ", expected)}");
        foreach (var claim in _claims[worker])
        {
            claim.HasExpired = false;
        }
    }

    /// <summary>A renewal with a length of zero has the same effect as a pause that is longer than the lease.</summary>
    private async Task FreezeAsync(int worker)
    {
        var held = Holders.Where(claim => claim.Worker == worker).ToList();
        if (held.Count > 0)
        {
            await queue.RenewAsync(LeaseOf(worker) with { Length = TimeSpan.Zero }, [.. held.Select(Held)], cancel);
            held.ForEach(claim => claim.HasExpired = true);
        }
    }

    private async Task StoreAsync(WorkerClaim claim, StoreKind kind)
    {
        var run = kind switch
        {
            StoreKind.Complete => Complete.Apply(claim.Run, Now).Run,
            StoreKind.Fail => Fail.Apply(claim.Run, new RunFailure("code", "message", "type", null), Now).Run,
            StoreKind.Interrupt => Interrupt.Apply(claim.Run, [], Now).Run,
            StoreKind.Requeue => Requeue.Apply(claim.Run, Now).Run,
            StoreKind.Cancel => Cancel.Apply(claim.Run, Now).Run,
            _ => claim.Run,
        };
        var stored = run with { LastSequence = run.LastSequence + 1 };
        var life = claim.Life.Runs[run.RunId];
        var expected =
            !claim.IsHolder ? FaultCodes.LeaseLost
            : life.IsCancelAccepted && stored.Status is not (RunStatus.Running or RunStatus.Cancelled) ? FaultCodes.CancelRequested
            : null;
        var refused = await TryStoreAsync(stored, LeaseOf(claim.Worker), hasCheckpoint: kind == StoreKind.Step);
        Require(
            refused == expected,
            $"{kind} of {Name(run)} with fence {run.Fence} was answered by {refused ?? "success"}, and {expected ?? "success"} was due"
        );
        if (refused is null)
        {
            (claim.HasExpired, life.Status) = (false, stored.Status);
            claim.Run = stored.Status == RunStatus.Running ? stored : claim.Run with { LastSequence = stored.LastSequence };
            claim.Life.Holder = stored.Status == RunStatus.Running ? claim : null;
        }
    }

    private async Task CancelAsync(string thread)
    {
        if (await runs.FindAsync(thread, cancel) is not { IsFinished: false } run)
        {
            return;
        }
        var life = LifeOf(thread);
        if (await queue.RequestCancelAsync(thread, run.RunId, cancel))
        {
            Require(life.Holder is not null, $"a worker is asked to cancel {thread}, and none has it");
            life.Runs[life.Holder!.Run.RunId].IsCancelAccepted = true;
            return;
        }
        Require(life.Holder is null, $"no worker is asked to cancel {thread}, and one has it");
        await AcquireAsync(run, Cancel.Apply);
        life.Runs[run.RunId].IsCancelAccepted = true;
    }

    private async Task RescueAsync(int? worker)
    {
        ImmutableArray<HeldRun> held = worker is { } own ? [.. _claims[own].Where(claim => claim.IsHolder).Select(Held)] : [];
        foreach (var rescued in await queue.RescueAsync(held, TimeSpan.Zero, cancel))
        {
            if (!_lives.TryGetValue(rescued.ThreadId, out var life))
            {
                continue; // left over from a failed sequence
            }
            var name = $"{rescued.ThreadId}/{rescued.RunId}";
            Require(life.Holder is { } lost && lost.Run.RunId == rescued.RunId, $"{name} is rescued, and no worker has it");
            Require(life.Holder!.HasExpired, $"{name} is rescued, and its lease has not expired");
            Require(life.Holder.Worker != worker, $"{name} is rescued by the worker that executes it");
            var run = life.Runs[rescued.RunId];
            Require(run.IsCancelAccepted == rescued.IsToCancel, $"{name} is {(rescued.IsToCancel ? "" : "not ")}to be cancelled");
            life.Holder = null;
            if (rescued.IsToCancel)
            {
                await AcquireAsync((await runs.FindAsync(rescued.ThreadId, cancel))!, Cancel.Apply);
            }
            else
            {
                (run.Status, life.Fence) = (RunStatus.Pending, life.Fence + 1);
            }
        }
    }

    private async Task ResumeAsync(string thread)
    {
        if (await runs.FindAsync(thread, cancel) is { Status: RunStatus.Failed or RunStatus.Interrupted } run && !LifeOf(thread).IsDeleting)
        {
            await AcquireAsync(run, Requeue.Apply);
        }
    }
}
