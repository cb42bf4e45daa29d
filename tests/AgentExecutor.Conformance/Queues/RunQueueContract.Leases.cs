using AgentExecutor.Core;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>How leases are renewed, when they expire, and which callers can end an expired lease.</summary>
public abstract partial class RunQueueContract
{
    [Fact]
    public async Task An_expired_lease_makes_the_run_due_again_and_excludes_its_holder()
    {
        await SubmitAsync("t");
        var lost = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));

        var rescued = Assert.Single(
            await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0)
        );

        Assert.Equal(("t", 1, true), (rescued.ThreadId, rescued.Crashes, rescued.IsDue));
        Assert.Equal(
            FaultCodes.LeaseLost,
            (await Assert.ThrowsAsync<FaultException>(() => EndAsync(lost, Short, RunStatus.Completed))).Code
        );
        var next = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal((2, 1), (next.Run.Attempt, next.Crashes));
        Assert.Empty(await Queue.RescueAsync([], TimeSpan.Zero, Cancel));
    }

    [Fact]
    public async Task A_checkpoint_resets_the_number_of_crashes()
    {
        await SubmitAsync("t");
        await Queue.ClaimAsync(Short, 10, Cancel);
        await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0);
        var second = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));
        await Checkpoints.CommitAsync(Commit(second.Run, Short) with { Checkpoint = Checkpoint("t") }, Cancel);

        var rescued = Assert.Single(
            await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0)
        );

        Assert.Equal(1, rescued.Crashes);
    }

    [Fact]
    public async Task Commits_renew_the_lease()
    {
        await SubmitAsync("t");
        var claimed = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));

        await Checkpoints.CommitAsync(Commit(claimed.Run, Long with { Holder = Short.Holder }), Cancel);

        await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancel);
        Assert.Empty(await Queue.RescueAsync([], TimeSpan.Zero, Cancel));
    }

    [Fact]
    public async Task A_renewal_returns_the_leases_that_are_still_held()
    {
        await SubmitAsync("a");
        await SubmitAsync("b");
        await SubmitAsync("c");
        var claimed = await Queue.ClaimAsync(Short with { Length = TimeSpan.FromMilliseconds(400) }, 10, Cancel);
        var held = claimed.Select(it => new HeldRun(it.Run.ThreadId, it.Run.Fence)).ToList();
        await EndAsync(claimed.First(it => it.Run.ThreadId == "b"), Short, RunStatus.Completed);

        var still = await Queue.RenewAsync(
            Long with
            {
                Holder = Short.Holder,
            },
            [.. held, new HeldRun("a", 99), new HeldRun("nobody", 1)],
            Cancel
        );

        Assert.Equal(["a", "c"], still.Select(run => run.ThreadId).Order());
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Cancel);
        Assert.Empty(await Queue.RescueAsync([], TimeSpan.Zero, Cancel));
    }

    [Fact]
    public async Task A_thread_whose_lease_another_worker_holds_cannot_be_acquired()
    {
        await SubmitAsync("t");
        var claimed = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        var steal = Commit(claimed.Run with { Fence = claimed.Run.Fence + 1 }, OtherLong) with { Acquires = true };

        Assert.Equal(
            FaultCodes.ThreadBusy,
            (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.CommitAsync(steal, Cancel))).Code
        );
        await EndAsync(claimed, Long, RunStatus.Interrupted);
        await Checkpoints.CommitAsync(steal, Cancel);
        await Checkpoints.CommitAsync(steal, Cancel); // a repetition of the same commit, as after a lost connection
    }

    [Fact]
    public async Task The_crash_of_a_worker_that_was_only_slow_can_be_uncounted()
    {
        await SubmitAsync("t");
        var slow = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));
        await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0);

        await Queue.UncountCrashAsync([new HeldRun("t", slow.Run.Fence), new HeldRun("nobody", 1)], Cancel);

        var next = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(0, next.Crashes);
        // It still holds the lease, so there is nothing to uncount.
        await Queue.UncountCrashAsync([new HeldRun("t", next.Run.Fence)], Cancel);
        await EndAsync(next, Long, RunStatus.Pending);
        Assert.Equal(0, Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)).Crashes);
    }

    [Fact]
    public async Task A_run_that_the_rescuers_own_process_executes_is_never_rescued()
    {
        await SubmitAsync("mine");
        await SubmitAsync("lost");
        var claimed = await Queue.ClaimAsync(Short, 10, Cancel);
        var mine = claimed.Single(it => it.Run.ThreadId == "mine");
        HeldRun[] held =
        [
            new("mine", mine.Run.Fence),
            new("lost", claimed.Single(it => it.Run.ThreadId == "lost").Run.Fence - 1),
            new("nobody", 1),
        ];

        var rescued = await EventuallyAsync(async () => await Queue.RescueAsync([.. held], TimeSpan.Zero, Cancel), runs => runs.Length > 0);

        Assert.Equal(["lost"], rescued.Select(run => run.ThreadId));
        Assert.Empty(await Queue.RescueAsync([.. held], TimeSpan.Zero, Cancel));
        Assert.Contains(held[0], await Queue.RenewAsync(Long with { Holder = Short.Holder }, [held[0]], Cancel));
        Assert.Empty(await Queue.RescueAsync([], TimeSpan.Zero, Cancel));
        await EndAsync(mine, Long with { Holder = Short.Holder }, RunStatus.Completed);
    }

    [Fact]
    public async Task A_worker_that_was_suspended_until_its_job_was_replaced_cannot_change_the_new_job()
    {
        var frozen = (await Queue.SubmitAsync([Submission("t")], Long, Cancel))[0].Claimed!;
        await EndAsync(frozen, Long, RunStatus.Completed);
        await Outbox.RelayAsync(10, static (_, _) => Task.CompletedTask, Cancel);
        await Checkpoints.DeleteThreadAsync("t", Cancel);
        var current = (await Queue.SubmitAsync([Submission("t")], OtherLong, Cancel))[0].Claimed!;

        Assert.Empty(await Queue.RenewAsync(Long, [new HeldRun("t", frozen.Run.Fence)], Cancel));
        foreach (var status in (RunStatus[])[RunStatus.Running, RunStatus.Pending, RunStatus.Completed])
        {
            Assert.Equal(FaultCodes.LeaseLost, (await Assert.ThrowsAsync<FaultException>(() => EndAsync(frozen, Long, status))).Code);
        }

        await EndAsync(current, OtherLong, RunStatus.Running);
        await EndAsync(current, OtherLong, RunStatus.Completed);
        Assert.Equal(RunStatus.Completed, (await Runs.FindAsync("t", Cancel))!.Status);
    }
}
