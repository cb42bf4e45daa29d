using System.Diagnostics;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>The contract of <see cref="IRunQueue"/> and of the leases that commits renew.</summary>
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

    /// <summary>Creates a queue without runs, its outbox, and the store that it shares its threads with.</summary>
    protected abstract ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync();

    public async ValueTask InitializeAsync() => (Queue, Outbox, Checkpoints, Runs) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_submitted_run_is_claimed_once_with_its_definition_and_input()
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
    public async Task The_most_urgent_runs_are_claimed_first_then_the_oldest_and_at_most_the_requested_number()
    {
        await SubmitAsync("late", priority: 9);
        await SubmitAsync("first", priority: 5);
        await SubmitAsync("second", priority: 5);
        await SubmitAsync("urgent", priority: 0);

        Assert.Equal(["urgent", "first"], await ClaimIdsAsync(2));
        Assert.Equal(["second", "late"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task A_delayed_run_is_not_claimed_before_it_is_due()
    {
        await SubmitAsync("later", delay: TimeSpan.FromSeconds(1.5)); // longer than a claim takes on a busy machine
        await SubmitAsync("tomorrow", delay: TimeSpan.FromDays(1));

        Assert.Empty(await ClaimIdsAsync(10));
        Assert.Equal(["later"], await EventuallyAsync(() => ClaimIdsAsync(10), ids => ids.Count > 0));
    }

    [Fact]
    public async Task Runs_of_one_thread_are_claimed_one_after_another()
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
    public async Task The_limit_of_a_key_applies_to_its_running_runs()
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
    public async Task Concurrent_claims_take_each_run_once_and_respect_the_limits()
    {
        for (var i = 0; i < 40; i++)
        {
            await SubmitAsync($"t{i}", key: i % 2 == 0 ? "k" : null, limit: 3);
        }

        var claims = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(worker =>
                    Task.Run(async () => await Queue.ClaimAsync(new Lease($"w{worker}", TimeSpan.FromMinutes(1)), 40, Cancel), Cancel)
                )
        );

        var ids = claims.SelectMany(claim => claim).Select(it => it.Run.ThreadId).ToList();
        Assert.Equal(ids.Distinct().Count(), ids.Count);
        Assert.Equal(20 + 3, ids.Count);
    }

    [Fact]
    public async Task A_run_that_was_returned_is_due_at_once_and_continues()
    {
        await SubmitAsync("t");
        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await EndAsync(first, Long, RunStatus.Pending);

        var second = Assert.Single(await Queue.ClaimAsync(OtherLong, 10, Cancel));

        Assert.Equal((first.Run.RunId, 2, 0), (second.Run.RunId, second.Run.Attempt, second.Crashes));
        Assert.Equal(5, second.Run.Usage.Supersteps);
    }

    [Fact]
    public async Task A_run_that_was_not_submitted_is_released_but_not_claimed()
    {
        var run = Run("by-hand", "r") with { Status = RunStatus.Running, Fence = 1, Attempt = 1 };
        await Checkpoints.CommitAsync(Commit(run, Short) with { Acquires = true }, Cancel);

        var rescued = Assert.Single(
            await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0)
        );

        Assert.False(rescued.IsDue);
        Assert.Empty(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(RunStatus.Pending, (await Runs.FindAsync("by-hand", Cancel))!.Status);
    }

    [Fact]
    public async Task A_thread_with_a_waiting_run_is_not_deleted()
    {
        await SubmitAsync("t", "r1");
        await EndAsync(Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel)), Long, RunStatus.Completed);
        await SubmitAsync("t", "r2", delay: TimeSpan.FromDays(1));
        var later = TimeProvider.System.GetUtcNow().AddDays(1);

        Assert.Empty(await Runs.ListAsync(new RunQuery(FinishedBefore: later), Cancel).ToListAsync(Cancel));
        Assert.Equal(
            FaultCodes.ThreadBusy,
            (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.DeleteThreadAsync("t", Cancel))).Code
        );
        Assert.Equal(RunStatus.Pending, (await Queue.FindAsync("t", "r2", Cancel))!.Status);
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static Run Run(string thread, string id) =>
        new()
        {
            ThreadId = thread,
            RunId = id,
            Name = "demo",
            TraceId = "trace",
            DefinitionHash = "h",
            CreatedAt = TimeProvider.System.GetUtcNow(),
            UpdatedAt = TimeProvider.System.GetUtcNow(),
        };

    private static StoredCheckpoint Checkpoint(string thread) =>
        new()
        {
            ThreadId = thread,
            Namespace = "",
            Id = "c1",
            Due = "[]"u8.ToArray(),
        };

    private static StepCommit Commit(Run run, Lease lease) =>
        new()
        {
            ThreadId = run.ThreadId,
            Fence = run.Fence,
            Run = run,
            Lease = lease,
        };

    private async Task<Run> SubmitAsync(
        string thread,
        string id = "r",
        string input = """{"user_request":"go"}""",
        int priority = 5,
        TimeSpan delay = default,
        string? key = null,
        int limit = 1
    ) =>
        (
            await Queue.SubmitAsync(
                [Submission(thread, id, input) with { Priority = priority, Delay = delay, ConcurrencyKey = key, ConcurrencyLimit = limit }],
                null,
                Cancel
            )
        )[0].Run;

    private static RunSubmission Submission(string thread, string id = "r", string input = """{"user_request":"go"}""") =>
        new(Run(thread, id), new StoredDefinition("h", Encoding.UTF8.GetBytes("""{"nodes":[]}""")), Encoding.UTF8.GetBytes(input));

    private async Task EndAsync(ClaimedRun claimed, Lease lease, RunStatus status) =>
        await Checkpoints.CommitAsync(
            Commit(
                claimed.Run with
                {
                    Status = status,
                    LastSequence = claimed.Run.LastSequence + 77,
                    Usage = new RunUsage(Supersteps: 5),
                },
                lease
            ),
            Cancel
        );

    private async Task<List<string>> ClaimIdsAsync(int atMost) =>
        [.. (await Queue.ClaimAsync(Long, atMost, Cancel)).Select(it => it.Run.ThreadId)];

    private static async Task<T> EventuallyAsync<T>(Func<Task<T>> read, Func<T, bool> holds)
    {
        var watch = Stopwatch.StartNew();
        while (true)
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
