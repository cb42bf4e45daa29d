using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>An accepted cancellation is never lost, whatever happens to the run at the same time.</summary>
public abstract partial class RunQueueContract
{
    [Fact]
    public async Task The_worker_that_holds_a_run_finds_the_request_to_cancel_it()
    {
        await SubmitAsync("t");
        Assert.False(await Queue.RequestCancelAsync("t", "r", Cancel));
        Assert.False(await Queue.RequestCancelAsync("nobody", "r", Cancel));
        var run = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Empty(await Queue.FindCancelRequestsAsync(Long, Cancel));

        Assert.True(await Queue.RequestCancelAsync("t", "r", Cancel));

        Assert.Equal([new HeldRun("t", run.Run.Fence)], await Queue.FindCancelRequestsAsync(Long, Cancel));
        Assert.Empty(await Queue.FindCancelRequestsAsync(OtherLong, Cancel));
    }

    [Theory]
    [InlineData(RunStatus.Interrupted)]
    [InlineData(RunStatus.Pending)]
    [InlineData(RunStatus.Completed)]
    [InlineData(RunStatus.Failed)]
    public async Task A_run_with_a_request_to_cancel_can_only_end_as_cancelled(RunStatus status)
    {
        await SubmitAsync("t");
        var run = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await Queue.RequestCancelAsync("t", "r", Cancel);
        // A step can still be stored.
        await Checkpoints.CommitAsync(Commit(run.Run with { LastSequence = 5 }, Long) with { Checkpoint = Checkpoint("t") }, Cancel);

        Assert.Equal(FaultCodes.CancelRequested, (await Assert.ThrowsAsync<FaultException>(() => EndAsync(run, Long, status))).Code);
        Assert.Equal(RunStatus.Running, (await Runs.FindAsync("t", Cancel))!.Status);
        await EndAsync(run, Long, RunStatus.Cancelled);

        Assert.Equal(RunStatus.Cancelled, (await Runs.FindAsync("t", Cancel))!.Status);
        Assert.False(await Queue.RequestCancelAsync("t", "r", Cancel));
        await SubmitAsync("t", "next");
        var next = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Empty(await Queue.FindCancelRequestsAsync(Long, Cancel)); // there is no request for this run
        await EndAsync(next, Long, status);
    }

    [Fact]
    public async Task The_end_of_a_run_can_be_stored_again_despite_a_later_request_to_cancel()
    {
        await SubmitAsync("t");
        var run = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await EndAsync(run, Long, RunStatus.Completed);

        Assert.False(await Queue.RequestCancelAsync("t", "r", Cancel));
        await EndAsync(run, Long, RunStatus.Completed); // a repetition of the same commit, as after a lost connection

        Assert.Equal(RunStatus.Completed, (await Runs.FindAsync("t", Cancel))!.Status);
    }

    [Fact]
    public async Task A_lost_run_with_a_request_to_cancel_is_cancelled_instead_of_becoming_due()
    {
        await SubmitAsync("t");
        var lost = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));
        Assert.True(await Queue.RequestCancelAsync("t", "r", Cancel));

        var rescued = Assert.Single(
            await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0)
        );

        Assert.Equal(("t", "r", true, false), (rescued.ThreadId, rescued.RunId, rescued.IsToCancel, rescued.IsDue));
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
        var cancelled = lost.Run with { Fence = lost.Run.Fence + 1, Attempt = 2, Status = RunStatus.Cancelled, LastSequence = 77 };
        await Checkpoints.CommitAsync(
            Commit(cancelled, OtherLong) with
            {
                Acquires = true,
                Result = new StoredResult(77, "{}"u8.ToArray()),
            },
            Cancel
        );
        Assert.Equal(
            FaultCodes.LeaseLost,
            (await Assert.ThrowsAsync<FaultException>(() => EndAsync(lost, Short, RunStatus.Completed))).Code
        );
        Assert.Empty(await Queue.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(RunStatus.Cancelled, Assert.Single(await Outbox.FindAsync([new RunKey("t", "r")], Cancel)).Status);
    }

    [Fact]
    public async Task A_request_to_cancel_one_run_does_not_affect_the_next_run_of_the_thread()
    {
        await SubmitAsync("t", "r1");
        await SubmitAsync("t", "r2");
        await EndAsync(Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)), Long, RunStatus.Completed);
        var next = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));

        Assert.False(await Queue.RequestCancelAsync("t", "r1", Cancel));

        Assert.Empty(await Queue.FindCancelRequestsAsync(Long, Cancel));
        await EndAsync(next, Long, RunStatus.Completed);
        Assert.Equal(
            ("r2", RunStatus.Completed),
            ((await Runs.FindAsync("t", Cancel))!.RunId, (await Runs.FindAsync("t", Cancel))!.Status)
        );
    }
}
