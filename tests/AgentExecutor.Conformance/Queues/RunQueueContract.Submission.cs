using System.Text;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>How runs are submitted, alone and together with others.</summary>
public abstract partial class RunQueueContract
{
    [Fact]
    public async Task A_run_that_is_submitted_again_is_the_same_run()
    {
        var first = await SubmitAsync("t", "r");
        await SubmitAsync("t", "r", input: """{"user_request":"other"}""");
        var claimed = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await EndAsync(claimed, Long, RunStatus.Completed);

        var again = await SubmitAsync("t", "r");

        Assert.Equal(RunStatus.Pending, first.Status);
        Assert.Equal("""{"user_request":"go"}""", Encoding.UTF8.GetString(claimed.Input.Span));
        Assert.Equal(RunStatus.Completed, again.Status);
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
    }

    [Fact]
    public async Task A_submission_wakes_a_waiting_caller()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var waiting = Queue.WaitAsync(stop.Token);
        while (await Task.WhenAny(waiting, Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancel)) == waiting)
        {
            await waiting; // returned early, because a connection was opened
            waiting = Queue.WaitAsync(stop.Token);
        }

        await SubmitAsync("t");

        await waiting.WaitAsync(Limit, Cancel);
    }

    [Fact]
    public async Task Many_runs_can_be_submitted_at_once_and_each_result_is_returned()
    {
        await SubmitAsync("known", "r");

        var submitted = await Queue.SubmitAsync(
            [
                Submission("a") with
                {
                    RequestHash = "first",
                    TraceParent = "00-trace",
                },
                Submission("known") with
                {
                    RequestHash = "other",
                },
                Submission("a") with
                {
                    RequestHash = "second",
                },
                Submission("a", "r2"),
                Submission("b"),
            ],
            null,
            Cancel
        );

        Assert.Equal(
            [("a", true), ("known", false), ("a", false), ("a", true), ("b", true)],
            submitted.Select(it => (it.Run.ThreadId, it.IsNew))
        );
        Assert.Equal(["first", "", "first", "", ""], submitted.Select(it => it.RequestHash));
        Assert.All(submitted, it => Assert.Null(it.Claimed));
        var claimed = await Queue.ClaimAsync(Long, 10, Cancel);
        Assert.Equal(["a/r", "b/r", "known/r"], claimed.Select(it => $"{it.Run.ThreadId}/{it.Run.RunId}").Order());
        Assert.Equal("00-trace", claimed.First(it => it.Run.ThreadId == "a").TraceParent);
    }

    [Fact]
    public async Task A_submission_with_a_lease_claims_the_run_at_once_if_possible()
    {
        await EndNewAsync("ended");
        await SubmitAsync("waits");

        var submitted = await Queue.SubmitAsync(
            [
                Submission("new", input: """{"a":1}""") with
                {
                    TraceParent = "00-t",
                },
                Submission("ended", "r2"),
                Submission("waits"),
                Submission("later") with
                {
                    Delay = TimeSpan.FromHours(1),
                },
                Submission("keyed") with
                {
                    ConcurrencyKey = "k",
                },
                Submission("new", "r2"),
            ],
            Long,
            Cancel
        );

        var taken = Assert.Single(submitted, it => it.Claimed is not null).Claimed!;
        Assert.Equal(
            ("new", 1L, 1, 0, RunStatus.Running),
            (taken.Run.ThreadId, taken.Run.Fence, taken.Run.Attempt, taken.Crashes, taken.Run.Status)
        );
        Assert.Equal(("""{"a":1}""", "00-t"), (Encoding.UTF8.GetString(taken.Input.Span), taken.TraceParent));
        Assert.Equal(RunStatus.Running, (await Queue.FindAsync("new", "r", Cancel))!.Status);
        Assert.Equal(["ended", "keyed", "waits"], (await ClaimIdsAsync(10)).Order());
        Assert.Single(await Queue.RenewAsync(Long, [new HeldRun("new", 1)], Cancel));
        await EndAsync(taken, Long, RunStatus.Completed);
        Assert.Equal(["new"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task Concurrent_submissions_of_one_run_store_it_once()
    {
        var submitted = await Task.WhenAll(
            Enumerable
                .Range(0, 12)
                .Select(worker =>
                    Task.Run(
                        async () =>
                            await Queue.SubmitAsync(
                                [Submission("t"), Submission($"own{worker}")],
                                new Lease($"w{worker}", TimeSpan.FromMinutes(1)),
                                Cancel
                            ),
                        Cancel
                    )
                )
        );

        Assert.Single(submitted, it => it[0].IsNew);
        Assert.Single(submitted, it => it[0].Claimed is not null);
        Assert.All(submitted, it => Assert.NotNull(it[1].Claimed));
    }

    [Fact]
    public async Task A_run_contains_the_spending_of_earlier_runs_of_its_thread()
    {
        await SubmitAsync("t", "r1");
        await SubmitAsync("t", "r2");
        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        var usage = new RunUsage(1, 1, 0, new TokenUsage(10, 5)) { CostUsd = 0.25m, Earlier = new Spending(100, 1m) };
        await Checkpoints.CommitAsync(Commit(first.Run with { Status = RunStatus.Completed, Usage = usage }, Long), Cancel);

        var second = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await Checkpoints.CommitAsync(
            Commit(second.Run with { Status = RunStatus.Pending, Usage = second.Run.Usage with { Supersteps = 3 } }, Long),
            Cancel
        );
        var again = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));

        Assert.Equal((0, new Spending(115, 1.25m)), (second.Run.Usage.Supersteps, second.Run.Usage.Earlier));
        Assert.Equal(("r2", 3, new Spending(115, 1.25m)), (again.Run.RunId, again.Run.Usage.Supersteps, again.Run.Usage.Earlier));
    }
}
