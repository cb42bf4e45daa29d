using AgentExecutor.Core.Queues;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>The contract of <see cref="IBacklog"/>, which a queue implements.</summary>
public abstract partial class RunQueueContract
{
    private IBacklog Backlog => (IBacklog)Queue;

    [Fact]
    public async Task The_backlog_of_an_empty_store_is_zero() => Assert.Equal(default, await Backlog.MeasureAsync(Cancel));

    [Fact]
    public async Task The_backlog_counts_the_due_runs_that_are_not_claimed()
    {
        await SubmitAsync("a");
        await SubmitAsync("b");
        await SubmitAsync("later", delay: TimeSpan.FromHours(1));

        Assert.Equal(2, (await Backlog.MeasureAsync(Cancel)).RunnableJobs);
        Assert.InRange((await Backlog.MeasureAsync(Cancel)).OldestWait, TimeSpan.Zero, Limit);

        await Queue.ClaimAsync(Long, 1, Cancel);
        Assert.Equal(1, (await Backlog.MeasureAsync(Cancel)).RunnableJobs);
        await Queue.ClaimAsync(Long, 1, Cancel);
        Assert.Equal(default, await Backlog.MeasureAsync(Cancel));
    }

    [Fact]
    public async Task The_backlog_contains_the_wait_of_the_oldest_run_and_the_oldest_outcome()
    {
        await EndNewAsync("ended");
        await SubmitAsync("waits");

        var measured = await EventuallyAsync(
            async () => await Backlog.MeasureAsync(Cancel),
            static it => it is { OldestWait.Ticks: > 0, OutboxLag.Ticks: > 0 }
        );

        Assert.True(measured.OldestWait > TimeSpan.Zero);
        Assert.Equal(1, measured.RunnableJobs);
        Assert.InRange(measured.OutboxLag, measured.OldestWait, Limit);

        await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel);

        Assert.Equal(TimeSpan.Zero, (await Backlog.MeasureAsync(Cancel)).OutboxLag);
    }

    [Fact]
    public async Task The_backlog_omits_runs_that_wait_for_their_thread_or_key()
    {
        await SubmitAsync("held", "r1");
        await SubmitAsync("keyed", key: "k");
        Assert.Equal(["held", "keyed"], await ClaimIdsAsync(10));
        await SubmitAsync("held", "r2");
        await SubmitAsync("full", key: "k");
        Assert.Equal(default, await Backlog.MeasureAsync(Cancel));

        await SubmitAsync("two", "r1");
        await SubmitAsync("two", "r2");
        await SubmitAsync("room", key: "other");
        await SubmitAsync("no-room", key: "other");
        await SubmitAsync("later", key: "third", delay: TimeSpan.FromHours(1));

        Assert.Equal(2, (await Backlog.MeasureAsync(Cancel)).RunnableJobs);
        Assert.Equal(["room", "two"], (await ClaimIdsAsync(10)).Order());
        Assert.Equal(default, await Backlog.MeasureAsync(Cancel));
    }
}
