using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>The effects of deleting a thread, and of the end of a run, on the queue.</summary>
public abstract partial class RunQueueContract
{
    [Fact]
    public async Task Runs_of_a_thread_whose_deletion_was_interrupted_are_not_claimed()
    {
        await EndAndAnnounceAsync("t");

        await InterruptDeletionAsync("t");
        await ExpireLeasesAsync();

        Assert.Empty(await Queue.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(0, await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel));
        Assert.False(await Queue.RequestCancelAsync("t", "r", Cancel));
        await Checkpoints.DeleteThreadAsync("t", Cancel);
        Assert.Null(await Runs.FindAsync("t", Cancel));
        Assert.Null(await Queue.FindAsync("t", "r", Cancel));
        Assert.Null(await Checkpoints.LoadAsync("t", "", null, Cancel));
        Assert.Empty(await Outbox.FindAsync([new RunKey("t", "r")], Cancel));
    }

    [Fact]
    public async Task A_thread_whose_deletion_was_interrupted_is_not_found()
    {
        await EndAndAnnounceAsync("t");
        await EndAndAnnounceAsync("stays");
        if (!await InterruptDeletionAsync("t"))
        {
            return; // The store deletes in one transaction, so nothing was deleted.
        }

        Assert.Null(await Runs.FindAsync("t", Cancel));
        Assert.Null(await Queue.FindAsync("t", "r", Cancel));
        Assert.Null(await Checkpoints.LoadAsync("t", "", null, Cancel));
        Assert.Empty(await Checkpoints.ListAsync(new CheckpointQuery("t"), Cancel).ToListAsync(Cancel));
        Assert.Equal(["stays"], (await Runs.ListAsync(new RunQuery(), Cancel).ToListAsync(Cancel)).Select(run => run.ThreadId));
        Assert.Equal(
            FaultCodes.UnknownCheckpoint,
            (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.CopyThreadAsync("t", "c1", "copy", Cancel))).Code
        );
    }

    [Fact]
    public async Task A_job_that_is_submitted_while_its_thread_is_being_deleted_starts_again()
    {
        await EndAndAnnounceAsync("t");
        await EndAndAnnounceAsync("other");
        if (!await InterruptDeletionAsync("t"))
        {
            await Checkpoints.DeleteThreadAsync("t", Cancel);
        }

        var submitted = await Queue.SubmitAsync(
            [Submission("t"), Submission("other"), Submission("new"), Submission("t", "r2")],
            Long,
            Cancel
        );

        Assert.Equal([("t", true), ("other", false), ("new", true), ("t", true)], submitted.Select(it => (it.Run.ThreadId, it.IsNew)));
        var taken = submitted.Where(it => it.Claimed is not null).Select(it => it.Run.ThreadId).ToList();
        taken.AddRange(await ClaimIdsAsync(10)); // a run that is submitted during a deletion may have to be claimed
        Assert.Equal(["new", "t"], taken.Order());
        Assert.Null(await Checkpoints.LoadAsync("t", "", null, Cancel));
        Assert.Empty(await Outbox.FindAsync([new RunKey("t", "r")], Cancel));
        Assert.Equal(
            FaultCodes.ThreadBusy,
            (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.DeleteThreadAsync("t", Cancel))).Code
        );
        await EndAsync(submitted[0].Claimed!, Long, RunStatus.Completed);
        Assert.Equal(["t"], await ClaimIdsAsync(10));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_worker_that_lost_a_thread_changes_nothing_of_a_later_thread_with_the_same_id(bool isTaken)
    {
        var frozen = (await Queue.SubmitAsync([Submission("t")], Short, Cancel))[0].Claimed!;
        await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0);
        var ended = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await EndAsync(ended, Long, RunStatus.Completed);
        await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel);
        await Checkpoints.DeleteThreadAsync("t", Cancel);
        var fence = await Runs.FindFenceAsync("t", Cancel);

        var submitted = (await Queue.SubmitAsync([Submission("t")], isTaken ? Long : null, Cancel))[0];

        Assert.True(fence > ended.Run.Fence, $"a new thread begins at {fence}, and {ended.Run.Fence} was used");
        foreach (var old in (Run[])[frozen.Run, ended.Run])
        {
            var commits = new[]
            {
                Commit(old with { LastSequence = 9 }, Short) with
                {
                    Checkpoint = Checkpoint("t"),
                },
                Commit(old with { Status = RunStatus.Completed, LastSequence = 9 }, Short),
                Commit(old with { Status = RunStatus.Pending, LastSequence = 0 }, Short),
                Commit(old, Short) with
                {
                    Run = null,
                    Checkpoint = Checkpoint("t"),
                },
            };
            foreach (var commit in commits)
            {
                Assert.Equal(
                    FaultCodes.LeaseLost,
                    (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.CommitAsync(commit, Cancel))).Code
                );
            }
        }
        Assert.Null(await Checkpoints.LoadAsync("t", "", null, Cancel));
        var claimed = submitted.Claimed ?? Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(fence + 1, claimed.Run.Fence);
        await EndAsync(claimed, Long, RunStatus.Completed);
        Assert.Equal(claimed.Run.Fence, (await Runs.FindAsync("t", Cancel))!.Fence);
    }

    [Fact]
    public async Task Concurrent_deletions_and_submissions_leave_each_thread_complete_or_deleted()
    {
        for (var round = 0; round < 5; round++)
        {
            await EndAndAnnounceAsync("t");

            var deletions = Enumerable
                .Range(0, 3)
                .Select(_ =>
                    Task.Run(
                        async () =>
                        {
                            try
                            {
                                await Checkpoints.DeleteThreadAsync("t", Cancel);
                            }
                            catch (FaultException fault) when (fault.Code == FaultCodes.ThreadBusy)
                            {
                                // The new run was submitted first.
                            }
                        },
                        Cancel
                    )
                )
                .ToList();
            var submission = Task.Run(async () => (await Queue.SubmitAsync([Submission("t", $"next{round}")], null, Cancel))[0], Cancel);
            await Task.WhenAll([.. deletions, submission]);

            Assert.True((await submission).IsNew);
            var claimed = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
            Assert.Equal($"next{round}", claimed.Run.RunId);
            await EndAsync(claimed, Long, RunStatus.Completed);
            await Checkpoints.DeleteThreadAsync("t", Cancel);
            Assert.Null(await Runs.FindAsync("t", Cancel));
        }
    }

    [Fact]
    public async Task A_run_whose_lease_has_expired_is_rescued_instead_of_deleted()
    {
        await SubmitAsync("t");
        await Queue.ClaimAsync(Short, 10, Cancel);
        await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);

        Assert.Equal(
            FaultCodes.ThreadBusy,
            (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.DeleteThreadAsync("t", Cancel))).Code
        );
        Assert.Single(await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0));
        Assert.Equal(["t"], await ClaimIdsAsync(10));
    }

    [Theory]
    [InlineData(RunStatus.Completed)]
    [InlineData(RunStatus.Cancelled)]
    [InlineData(RunStatus.Failed)]
    public async Task A_run_that_has_finished_does_not_become_runnable(RunStatus status)
    {
        await SubmitAsync("t");
        var claimed = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await EndAsync(claimed, Long, status);
        await ExpireLeasesAsync();
        var ended = (await Runs.FindAsync("t", Cancel))!;

        foreach (var next in (RunStatus[])[RunStatus.Pending, RunStatus.Running, RunStatus.Interrupted])
        {
            foreach (var fence in (long[])[ended.Fence, ended.Fence + 1])
            {
                var commit = Commit(ended with { Status = next, Fence = fence, LastSequence = ended.LastSequence + 1 }, Long);
                Assert.Equal(
                    FaultCodes.LeaseLost,
                    (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.CommitAsync(commit, Cancel))).Code
                );
            }
        }

        Assert.Empty(await Queue.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(status, (await Queue.FindAsync("t", "r", Cancel))!.Status);
    }

    [Fact]
    public async Task Only_a_failed_run_starts_again_and_only_by_a_commit_that_acquires_its_thread()
    {
        foreach (
            var (thread, status) in new[]
            {
                ("completed", RunStatus.Completed),
                ("cancelled", RunStatus.Cancelled),
                ("failed", RunStatus.Failed),
            }
        )
        {
            await SubmitAsync(thread);
            await EndAsync(Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)), Long, status);
            var ended = (await Runs.FindAsync(thread, Cancel))!;
            var again = Commit(ended with { Status = RunStatus.Pending, Fence = ended.Fence + 1 }, Long) with { Acquires = true };
            if (status == RunStatus.Failed)
            {
                await Checkpoints.CommitAsync(again, Cancel);
            }
            else
            {
                Assert.Equal(
                    FaultCodes.LeaseLost,
                    (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.CommitAsync(again, Cancel))).Code
                );
            }
        }

        Assert.Equal(["failed"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task An_earlier_run_of_a_thread_that_has_finished_does_not_become_runnable()
    {
        await SubmitAsync("t", "r1");
        await EndAsync(Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)), Long, RunStatus.Completed);
        await SubmitAsync("t", "r2");
        await EndAsync(Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)), Long, RunStatus.Completed);
        var newest = (await Runs.FindAsync("t", Cancel))!;

        var commit = Commit(newest with { RunId = "r1", Status = RunStatus.Pending, Fence = newest.Fence + 1 }, Long) with
        {
            Acquires = true,
        };

        Assert.Equal(
            FaultCodes.LeaseLost,
            (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.CommitAsync(commit, Cancel))).Code
        );
        Assert.Equal(RunStatus.Completed, (await Queue.FindAsync("t", "r1", Cancel))!.Status);
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
    }

    /// <summary>
    /// Starts to delete the thread and stops in the middle, as if the process had been killed. Returns false if the store deletes in one
    /// transaction, so that nothing was deleted.
    /// </summary>
    protected virtual async Task<bool> InterruptDeletionAsync(string threadId)
    {
        using var stopped = new CancellationTokenSource();
        await stopped.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Checkpoints.DeleteThreadAsync(threadId, stopped.Token));
        return false;
    }

    /// <summary>Lets every lease expire, including that of a deletion.</summary>
    protected virtual Task ExpireLeasesAsync() => Task.CompletedTask;

    private async Task EndAndAnnounceAsync(string thread)
    {
        var claimed = (await Queue.SubmitAsync([Submission(thread)], Long, Cancel))[0].Claimed!;
        await Checkpoints.CommitAsync(
            Commit(claimed.Run, Long) with
            {
                Checkpoint = Checkpoint(thread),
                Events = new StoredEvents(1, "[]"u8.ToArray()),
            },
            Cancel
        );
        var ended = claimed.Run with { Status = RunStatus.Completed, LastSequence = 77 };
        await Checkpoints.CommitAsync(Commit(ended, Long) with { Result = new StoredResult(77, "{}"u8.ToArray()) }, Cancel);
        Assert.Equal(1, await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel));
    }
}
