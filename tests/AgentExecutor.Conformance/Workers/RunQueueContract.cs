using System.Diagnostics;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Xunit;

namespace AgentExecutor.Conformance.Workers;

/// <summary>The contract of <see cref="IRunQueue"/> and of the leases that a store's commits keep, one sentence a test.</summary>
public abstract partial class RunQueueContract : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly Lease Long = new("worker-1", TimeSpan.FromMinutes(5));
    private static readonly Lease OtherLong = new("worker-2", TimeSpan.FromMinutes(5));
    private static readonly Lease Short = new("worker-3", TimeSpan.FromMilliseconds(1));

    protected IRunQueue Queue { get; private set; } = null!;

    protected IOutbox Outbox { get; private set; } = null!;

    protected ICheckpointStore Checkpoints { get; private set; } = null!;

    protected IRunStore Runs { get; private set; } = null!;

    /// <summary>A queue without runs, its outbox, and the store that it shares threads with.</summary>
    protected abstract ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync();

    public async ValueTask InitializeAsync() => (Queue, Outbox, Checkpoints, Runs) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_submitted_run_is_claimed_once_with_all_that_was_submitted()
    {
        await SubmitAsync("t", input: """{"user_request":"\u0000 go"}""");
        Assert.Equal(RunStatus.Pending, (await Runs.FindAsync("t", Cancel))!.Status);

        var claimed = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));

        Assert.Equal("""{"user_request":"\u0000 go"}""", Encoding.UTF8.GetString(claimed.Input.Span));
        Assert.Equal("""{"nodes":[]}""", Encoding.UTF8.GetString(claimed.Definition.Json.Span));
        Assert.Equal((RunStatus.Running, 1L, 1, 0), (claimed.Run.Status, claimed.Run.Fence, claimed.Run.Attempt, claimed.Crashes));
        Assert.Equal("demo", claimed.Run.Name);
        Assert.Equal(RunStatus.Running, (await Runs.FindAsync("t", Cancel))!.Status);
        Assert.Empty(await Queue.ClaimAsync(OtherLong, 10, Cancel));
    }

    [Fact]
    public async Task The_same_run_again_is_the_same_run()
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
    public async Task The_most_urgent_is_taken_first_then_the_oldest_and_no_more_than_asked()
    {
        await SubmitAsync("late", priority: 9);
        await SubmitAsync("first", priority: 5);
        await SubmitAsync("second", priority: 5);
        await SubmitAsync("urgent", priority: 0);

        Assert.Equal(["urgent", "first"], await ClaimIdsAsync(2));
        Assert.Equal(["second", "late"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task A_delayed_run_waits()
    {
        await SubmitAsync("later", delay: TimeSpan.FromMilliseconds(300));
        await SubmitAsync("tomorrow", delay: TimeSpan.FromDays(1));

        Assert.Empty(await ClaimIdsAsync(10));
        Assert.Equal(["later"], await EventuallyAsync(() => ClaimIdsAsync(10), ids => ids.Count > 0));
    }

    [Fact]
    public async Task Runs_of_one_thread_follow_each_other()
    {
        await SubmitAsync("t", "r1");
        await SubmitAsync("t", "r2");

        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal("r1", first.Run.RunId);
        Assert.Empty(await Queue.ClaimAsync(OtherLong, 10, Cancel));
        await EndAsync(first, Long, RunStatus.Completed);

        var second = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal("r2", second.Run.RunId);
        Assert.True(second.Run.Fence > first.Run.Fence);
        Assert.Equal(1, second.Run.Attempt);
        Assert.True(second.Run.LastSequence >= 77, "sequence numbers of a thread never go back");
    }

    [Fact]
    public async Task Of_runs_with_one_key_no_more_than_the_limit_run_at_once()
    {
        for (var i = 0; i < 5; i++)
        {
            await SubmitAsync($"a{i}", key: "a", limit: 2);
        }
        await SubmitAsync("b", key: "b");
        await SubmitAsync("free");

        var claimed = await Queue.ClaimAsync(Long, 10, Cancel);
        Assert.Equal(["a0", "a1", "b", "free"], claimed.Select(it => it.Run.ThreadId).Order());
        Assert.Empty(await ClaimIdsAsync(10));

        await EndAsync(claimed.First(it => it.Run.ThreadId == "a0"), Long, RunStatus.Failed);
        Assert.Equal(["a2"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task Many_claimers_at_once_take_each_run_once_and_keep_the_limits()
    {
        for (var i = 0; i < 40; i++)
        {
            await SubmitAsync($"t{i}", key: i % 2 == 0 ? "k" : null, limit: 3);
        }

        var claims = await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(
            async () => await Queue.ClaimAsync(new Lease($"w{worker}", TimeSpan.FromMinutes(1)), 40, Cancel), Cancel)));

        var ids = claims.SelectMany(claim => claim).Select(it => it.Run.ThreadId).ToList();
        Assert.Equal(ids.Distinct().Count(), ids.Count);
        Assert.Equal(20 + 3, ids.Count);
    }

    [Fact]
    public async Task A_run_that_was_given_back_is_due_at_once_and_goes_on_where_it_was()
    {
        await SubmitAsync("t");
        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await EndAsync(first, Long, RunStatus.Pending);

        var second = Assert.Single(await Queue.ClaimAsync(OtherLong, 10, Cancel));

        Assert.Equal((first.Run.RunId, 2, 0), (second.Run.RunId, second.Run.Attempt, second.Crashes));
        Assert.Equal(5, second.Run.Usage.Supersteps);
    }

    [Fact]
    public async Task A_lease_that_runs_out_makes_the_run_due_again_and_fences_its_holder_off()
    {
        await SubmitAsync("t");
        var lost = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));

        var rescued = Assert.Single(await EventuallyAsync(async () => await Queue.RescueAsync(TimeSpan.Zero, Cancel), runs => runs.Length > 0));

        Assert.Equal(("t", 1, true), (rescued.ThreadId, rescued.Crashes, rescued.IsDue));
        Assert.Equal(FaultCodes.LeaseLost, (await Assert.ThrowsAsync<FaultException>(() => EndAsync(lost, Short, RunStatus.Completed))).Code);
        var next = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal((2, 1), (next.Run.Attempt, next.Crashes));
        Assert.Empty(await Queue.RescueAsync(TimeSpan.Zero, Cancel));
    }

    [Fact]
    public async Task A_checkpoint_forgets_the_crashes_before_it()
    {
        await SubmitAsync("t");
        await Queue.ClaimAsync(Short, 10, Cancel);
        await EventuallyAsync(async () => await Queue.RescueAsync(TimeSpan.Zero, Cancel), runs => runs.Length > 0);
        var second = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));
        await Checkpoints.CommitAsync(Commit(second.Run, Short) with { Checkpoint = Checkpoint("t") }, Cancel);

        var rescued = Assert.Single(await EventuallyAsync(async () => await Queue.RescueAsync(TimeSpan.Zero, Cancel), runs => runs.Length > 0));

        Assert.Equal(1, rescued.Crashes);
    }

    [Fact]
    public async Task Commits_renew_the_lease()
    {
        await SubmitAsync("t");
        var claimed = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));

        await Checkpoints.CommitAsync(Commit(claimed.Run, Long with { Holder = Short.Holder }), Cancel);

        await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancel);
        Assert.Empty(await Queue.RescueAsync(TimeSpan.Zero, Cancel));
    }

    [Fact]
    public async Task Renewal_keeps_what_is_held_and_tells_what_is_not()
    {
        await SubmitAsync("a");
        await SubmitAsync("b");
        await SubmitAsync("c");
        var claimed = await Queue.ClaimAsync(Short with { Length = TimeSpan.FromMilliseconds(400) }, 10, Cancel);
        var held = claimed.Select(it => new HeldRun(it.Run.ThreadId, it.Run.Fence)).ToList();
        await EndAsync(claimed.First(it => it.Run.ThreadId == "b"), Short, RunStatus.Completed);

        var still = await Queue.RenewAsync(Long with { Holder = Short.Holder }, [.. held, new HeldRun("a", 99), new HeldRun("nobody", 1)], Cancel);

        Assert.Equal(["a", "c"], still.Select(run => run.ThreadId).Order());
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Cancel);
        Assert.Empty(await Queue.RescueAsync(TimeSpan.Zero, Cancel));
    }

    [Fact]
    public async Task A_thread_whose_lease_another_holds_cannot_be_acquired()
    {
        await SubmitAsync("t");
        var claimed = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        var steal = Commit(claimed.Run with { Fence = claimed.Run.Fence + 1 }, OtherLong) with { Acquires = true };

        Assert.Equal(FaultCodes.ThreadBusy, (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.CommitAsync(steal, Cancel))).Code);
        await EndAsync(claimed, Long, RunStatus.Interrupted);
        await Checkpoints.CommitAsync(steal, Cancel);
        await Checkpoints.CommitAsync(steal, Cancel); // its own repetition, as after a lost connection
    }

    [Fact]
    public async Task A_run_that_nobody_submitted_is_let_go_of_and_not_claimed()
    {
        var run = Run("by-hand", "r") with { Status = RunStatus.Running, Fence = 1, Attempt = 1 };
        await Checkpoints.CommitAsync(Commit(run, Short) with { Acquires = true }, Cancel);

        var rescued = Assert.Single(await EventuallyAsync(async () => await Queue.RescueAsync(TimeSpan.Zero, Cancel), runs => runs.Length > 0));

        Assert.False(rescued.IsDue);
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(RunStatus.Pending, (await Runs.FindAsync("by-hand", Cancel))!.Status);
    }

    [Fact]
    public async Task A_thread_that_a_run_waits_for_is_not_deleted()
    {
        await SubmitAsync("t", "r1");
        await EndAsync(Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)), Long, RunStatus.Completed);
        await SubmitAsync("t", "r2", delay: TimeSpan.FromDays(1));
        var later = TimeProvider.System.GetUtcNow().AddDays(1);

        Assert.Empty(await Runs.ListAsync(new RunQuery(FinishedBefore: later), Cancel).ToListAsync(Cancel));
        Assert.Equal(FaultCodes.ThreadBusy, (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.DeleteThreadAsync("t", Cancel))).Code);
        Assert.Equal(RunStatus.Pending, (await Queue.FindAsync("t", "r2", Cancel))!.Status);
    }

    [Fact]
    public async Task A_submission_wakes_whoever_waits()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var waiting = Queue.WaitAsync(stop.Token);
        while (await Task.WhenAny(waiting, Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancel)) == waiting)
        {
            await waiting; // early: a connection was made
            waiting = Queue.WaitAsync(stop.Token);
        }

        await SubmitAsync("t");

        await waiting.WaitAsync(Limit, Cancel);
    }

    [Fact]
    public async Task Many_are_submitted_at_once_and_each_is_told_what_became_of_it()
    {
        await SubmitAsync("known", "r");

        var told = await Queue.SubmitAsync(
            [
                Submission("a") with { RequestHash = "first", TraceParent = "00-trace" }, Submission("known") with { RequestHash = "other" },
                Submission("a") with { RequestHash = "second" }, Submission("a", "r2"), Submission("b"),
            ], null, Cancel);

        Assert.Equal([("a", true), ("known", false), ("a", false), ("a", true), ("b", true)], told.Select(it => (it.Run.ThreadId, it.IsNew)));
        Assert.Equal(["first", "", "first", "", ""], told.Select(it => it.RequestHash));
        Assert.All(told, it => Assert.Null(it.Claimed));
        var claimed = await Queue.ClaimAsync(Long, 10, Cancel);
        Assert.Equal(["a/r", "b/r", "known/r"], claimed.Select(it => $"{it.Run.ThreadId}/{it.Run.RunId}").Order());
        Assert.Equal("00-trace", claimed.First(it => it.Run.ThreadId == "a").TraceParent);
    }

    [Fact]
    public async Task What_is_submitted_to_be_taken_is_claimed_at_once_where_it_may_be()
    {
        await EndNewAsync("ended");
        await SubmitAsync("waits");

        var told = await Queue.SubmitAsync(
            [
                Submission("new", input: """{"a":1}""") with { TraceParent = "00-t" }, Submission("ended", "r2"), Submission("waits"), Submission("later") with { Delay = TimeSpan.FromHours(1) },
                Submission("keyed") with { ConcurrencyKey = "k" }, Submission("new", "r2"),
            ], Long, Cancel);

        var taken = Assert.Single(told, it => it.Claimed is not null).Claimed!;
        Assert.Equal(("new", 1L, 1, 0, RunStatus.Running), (taken.Run.ThreadId, taken.Run.Fence, taken.Run.Attempt, taken.Crashes, taken.Run.Status));
        Assert.Equal(("""{"a":1}""", "00-t"), (Encoding.UTF8.GetString(taken.Input.Span), taken.TraceParent));
        Assert.Equal(RunStatus.Running, (await Queue.FindAsync("new", "r", Cancel))!.Status);
        Assert.Equal(["ended", "keyed", "waits"], (await ClaimIdsAsync(10)).Order());
        Assert.Single(await Queue.RenewAsync(Long, [new HeldRun("new", 1)], Cancel));
        await EndAsync(taken, Long, RunStatus.Completed);
        Assert.Equal(["new"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task Many_submitters_of_one_run_store_it_once()
    {
        var told = await Task.WhenAll(Enumerable.Range(0, 12).Select(worker => Task.Run(
            async () => await Queue.SubmitAsync([Submission("t"), Submission($"own{worker}")], new Lease($"w{worker}", TimeSpan.FromMinutes(1)), Cancel), Cancel)));

        Assert.Single(told, it => it[0].IsNew);
        Assert.Single(told, it => it[0].Claimed is not null);
        Assert.All(told, it => Assert.NotNull(it[1].Claimed));
    }

    [Fact]
    public async Task A_worker_that_was_only_slow_takes_the_crash_back()
    {
        await SubmitAsync("t");
        var slow = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));
        await EventuallyAsync(async () => await Queue.RescueAsync(TimeSpan.Zero, Cancel), runs => runs.Length > 0);

        await Queue.AcquitAsync([new HeldRun("t", slow.Run.Fence), new HeldRun("nobody", 1)], Cancel);

        var next = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(0, next.Crashes);
        await Queue.AcquitAsync([new HeldRun("t", next.Run.Fence)], Cancel); // it holds it still: nothing to take back
        await EndAsync(next, Long, RunStatus.Pending);
        Assert.Equal(0, Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)).Crashes);
    }

    [Fact]
    public async Task Whoever_has_a_run_hears_that_it_is_to_be_cancelled()
    {
        await SubmitAsync("t");
        Assert.False(await Queue.AskToCancelAsync("t", Cancel));
        Assert.False(await Queue.AskToCancelAsync("nobody", Cancel));
        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Empty(await Queue.CancelledAsync(Long, Cancel));

        Assert.True(await Queue.AskToCancelAsync("t", Cancel));

        Assert.Equal([new HeldRun("t", first.Run.Fence)], await Queue.CancelledAsync(Long, Cancel));
        Assert.Empty(await Queue.CancelledAsync(OtherLong, Cancel));
        await EndAsync(first, Long, RunStatus.Pending); // given back before it heard
        var second = Assert.Single(await Queue.ClaimAsync(OtherLong, 10, Cancel));
        Assert.Equal([new HeldRun("t", second.Run.Fence)], await Queue.CancelledAsync(OtherLong, Cancel));
        await EndAsync(second, OtherLong, RunStatus.Cancelled);
        await SubmitAsync("t", "next");
        Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Empty(await Queue.CancelledAsync(Long, Cancel));
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static Run Run(string thread, string id) => new()
    {
        ThreadId = thread,
        RunId = id,
        Name = "demo",
        TraceId = "trace",
        DefinitionHash = "h",
        CreatedAt = TimeProvider.System.GetUtcNow(),
        UpdatedAt = TimeProvider.System.GetUtcNow(),
    };

    [Fact]
    public async Task A_run_knows_what_the_threads_earlier_runs_spent()
    {
        await SubmitAsync("t", "r1");
        await SubmitAsync("t", "r2");
        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        var usage = new RunUsage(1, 1, 0, new TokenUsage(10, 5)) { CostUsd = 0.25m, Earlier = new Spending(100, 1m) };
        await Checkpoints.CommitAsync(Commit(first.Run with { Status = RunStatus.Completed, Usage = usage }, Long), Cancel);

        var second = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await Checkpoints.CommitAsync(Commit(second.Run with { Status = RunStatus.Pending, Usage = second.Run.Usage with { Supersteps = 3 } }, Long), Cancel);
        var again = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));

        Assert.Equal((0, new Spending(115, 1.25m)), (second.Run.Usage.Supersteps, second.Run.Usage.Earlier));
        Assert.Equal(("r2", 3, new Spending(115, 1.25m)), (again.Run.RunId, again.Run.Usage.Supersteps, again.Run.Usage.Earlier));
    }

    private static StoredCheckpoint Checkpoint(string thread) => new() { ThreadId = thread, Namespace = "", Id = "c1", Due = "[]"u8.ToArray() };

    private static StepCommit Commit(Run run, Lease lease) => new() { ThreadId = run.ThreadId, Fence = run.Fence, Run = run, Lease = lease };

    private async Task<Run> SubmitAsync(
        string thread, string id = "r", string input = """{"user_request":"go"}""", int priority = 5, TimeSpan delay = default, string? key = null, int limit = 1) =>
        (await Queue.SubmitAsync([Submission(thread, id, input) with { Priority = priority, Delay = delay, ConcurrencyKey = key, ConcurrencyLimit = limit }], null, Cancel))[0].Run;

    private static RunSubmission Submission(string thread, string id = "r", string input = """{"user_request":"go"}""") =>
        new(Run(thread, id), new StoredDefinition("h", Encoding.UTF8.GetBytes("""{"nodes":[]}""")), Encoding.UTF8.GetBytes(input));

    private async Task EndAsync(ClaimedRun claimed, Lease lease, RunStatus status) => await Checkpoints.CommitAsync(
        Commit(claimed.Run with { Status = status, LastSequence = claimed.Run.LastSequence + 77, Usage = new RunUsage(Supersteps: 5) }, lease), Cancel);

    private async Task<List<string>> ClaimIdsAsync(int atMost) =>
        [.. (await Queue.ClaimAsync(Long, atMost, Cancel)).Select(it => it.Run.ThreadId)];

    private static async Task<T> EventuallyAsync<T>(Func<Task<T>> read, Func<T, bool> holds)
    {
        for (var watch = Stopwatch.StartNew(); ;)
        {
            var value = await read();
            if (holds(value) || watch.Elapsed > Limit)
            {
                return value;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
        }
    }
}
