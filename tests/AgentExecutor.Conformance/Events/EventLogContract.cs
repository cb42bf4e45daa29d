using System.Text;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Events;

/// <summary>
/// The contract of <see cref="IEventLog"/>. The test class of an implementation inherits it and only defines how to create an empty store.
/// </summary>
public abstract partial class EventLogContract : IAsyncLifetime
{
    private const int Limit = 20_000;
    private static readonly DateTimeOffset Time = new(2026, 3, 11, 9, 30, 0, TimeSpan.Zero);
    private static readonly Lease Long = new("worker-1", TimeSpan.FromMinutes(5));
    private static readonly Lease Short = new("worker-2", TimeSpan.FromMilliseconds(1));

    protected IEventLog Log { get; private set; } = null!;

    protected ICheckpointStore Checkpoints { get; private set; } = null!;

    protected IRunStore Runs { get; private set; } = null!;

    protected IRunQueue Queue { get; private set; } = null!;

    /// <summary>Creates a store without threads, and returns its interfaces.</summary>
    protected abstract ValueTask<(IEventLog Log, ICheckpointStore Checkpoints, IRunStore Runs, IRunQueue Queue)> MakeAsync();

    public async ValueTask InitializeAsync() => (Log, Checkpoints, Runs, Queue) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_thread_without_runs_has_no_log()
    {
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "no-run",
                Fence = 1,
                Checkpoint = Checkpoint("c1") with { ThreadId = "no-run" },
            },
            Cancel
        );

        Assert.Null(await Runs.FindAsync("no-run", Cancel));
        Assert.Null(await ReadAsync("no-run"));
        Assert.Null(await ReadAsync("nobody"));
        Assert.Empty(await Log.ReadPositionsAsync(["no-run", "nobody"], Cancel));
        Assert.Empty(await Log.ReadPositionsAsync([], Cancel));
    }

    [Fact]
    public async Task A_waiting_run_has_a_log_without_commits()
    {
        await SubmitAsync("t", "r");

        var page = await ReadAsync("t");

        Assert.Equal((0, false), (page!.Commits.Length, page.HasMore));
        Assert.Equal(new LogPosition("t", 0, RunStatus.Pending), page.Position);
    }

    [Fact]
    public async Task The_events_of_commits_are_read_back_unchanged_oldest_first()
    {
        await CommitEventsAsync("t", 3, """[{"seq":1},{"seq":2},{"seq":3,"text":"ü😀\u0000"}]""");
        await CommitEventsAsync("t", 5);
        await CommitEventsAsync("t", 12);

        var page = await ReadAsync("t");

        Assert.Equal([3L, 5, 12], page!.Commits.Select(commit => commit.Last));
        Assert.Equal("""[{"seq":1},{"seq":2},{"seq":3,"text":"ü😀\u0000"}]""", Text(page.Commits[0].Json));
        Assert.Equal(new LogPosition("t", 12, RunStatus.Running), page.Position);
    }

    [Fact]
    public async Task A_page_has_the_requested_number_of_commits_and_says_whether_there_are_more()
    {
        for (var last = 10; last <= 50; last += 10)
        {
            await CommitEventsAsync("t", last);
        }

        Assert.Equal("10 20 more", await PageAsync("t", after: 0, limit: 2));
        Assert.Equal("30 40 more", await PageAsync("t", after: 20, limit: 2));
        Assert.Equal("50", await PageAsync("t", after: 40, limit: 2));
        Assert.Equal("40 50", await PageAsync("t", after: 30, limit: 2));
        Assert.Equal("10 20 30 40 50", await PageAsync("t", after: 0, limit: int.MaxValue));
    }

    [Fact]
    public async Task A_commit_is_returned_as_a_whole_even_if_some_of_its_events_were_read()
    {
        await CommitEventsAsync("t", 4, """[{"seq":2},{"seq":3},{"seq":4}]""");
        await CommitEventsAsync("t", 6);

        var page = await ReadAsync("t", after: 3);

        Assert.Equal("""[{"seq":2},{"seq":3},{"seq":4}]""", Text(page!.Commits[0].Json));
        Assert.Equal([4L, 6], page.Commits.Select(commit => commit.Last));
    }

    [Fact]
    public async Task After_the_last_commit_only_the_position_is_returned()
    {
        await CommitEventsAsync("t", 4);

        Assert.Equal("", await PageAsync("t", after: 4, limit: 10));
        Assert.Equal("", await PageAsync("t", after: 99, limit: 10));
        Assert.Equal(new LogPosition("t", 4, RunStatus.Running), (await ReadAsync("t", after: 99))!.Position);
    }

    [Fact]
    public async Task The_events_of_a_repeated_commit_are_stored_once()
    {
        await CommitEventsAsync("t", 4);
        await CommitEventsAsync("t", 4);

        Assert.Equal("4", await PageAsync("t", after: 0, limit: 10));
    }

    [Fact]
    public async Task The_logs_of_threads_are_independent()
    {
        await CommitEventsAsync("t", 4);
        await CommitEventsAsync("t1", 5);
        await CommitEventsAsync("T", 6);

        Assert.Equal("4", await PageAsync("t", after: 0, limit: 10));
        Assert.Equal("5", await PageAsync("t1", after: 0, limit: 10));
    }

    [Fact]
    public async Task The_positions_of_many_threads_are_read_in_one_call_without_unknown_threads()
    {
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => CommitEventsAsync($"t{i:00}", i + 1)));

        var found = await Log.ReadPositionsAsync([.. Enumerable.Range(0, 2_000).Select(i => $"t{i:00}"), "t07"], Cancel);

        Assert.Equal(
            Enumerable.Range(0, 40).Select(i => new LogPosition($"t{i:00}", i + 1, RunStatus.Running)),
            found.OrderBy(it => it.ThreadId, StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Commits_without_events_advance_the_position()
    {
        await CommitEventsAsync("t", 4);
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                Run = Run("t", 9),
            },
            Cancel
        );

        Assert.Equal([new LogPosition("t", 9, RunStatus.Running)], await Log.ReadPositionsAsync(["t"], Cancel));
        Assert.Equal(9, (await ReadAsync("t"))!.Position.Last);
        Assert.Equal("4", await PageAsync("t", after: 0, limit: 10));
    }

    [Fact(Timeout = Limit)]
    public async Task The_position_follows_the_newest_run_through_claims_and_rescues()
    {
        await SubmitAsync("t", "r1");
        await SubmitAsync("t", "r2");
        var waits = await PositionAsync("t");
        await Queue.ClaimAsync(Short, 1, Cancel);
        var claimed = await PositionAsync("t");
        while ((await Queue.RescueAsync([], TimeSpan.Zero, Cancel)).IsEmpty) // until the lease has expired
        {
            await Task.Yield();
        }
        var rescued = await PositionAsync("t");
        var first = Assert.Single(await Queue.ClaimAsync(Long, 1, Cancel));
        await EndAsync(first);
        var ended = await PositionAsync("t");
        var second = Assert.Single(await Queue.ClaimAsync(Long, 1, Cancel));
        var next = await PositionAsync("t");

        Assert.Equal("r2", second.Run.RunId);
        Assert.Equal(
            [RunStatus.Pending, RunStatus.Running, RunStatus.Pending, RunStatus.Completed, RunStatus.Running],
            [waits.Status, claimed.Status, rescued.Status, ended.Status, next.Status]
        );
        long[] last = [waits.Last, claimed.Last, rescued.Last, ended.Last, next.Last];
        Assert.Equal(last.Order(), last);
        Assert.True(rescued.Last > claimed.Last, "a rescue leaves room for what the lost worker may have published");
    }

    [Fact]
    public async Task A_page_and_its_position_are_consistent()
    {
        const int Count = 200;
        await CommitEventsAsync("t", 1);
        var reader = Task.Run(
            async () =>
            {
                var last = 0L;
                while (last < Count)
                {
                    var page = await ReadAsync("t", after: last - 1, limit: 1_000);
                    // Every commit of this test stores an event with its last number.
                    Assert.Equal(page!.Position.Last, page.Commits[^1].Last);
                    last = page.Position.Last;
                }
            },
            Cancel
        );
        for (var last = 2; last <= Count; last++)
        {
            await CommitEventsAsync("t", last);
        }
        await reader;
    }

    [Fact]
    public async Task A_deleted_thread_has_no_log_and_a_new_thread_with_its_id_starts_with_an_empty_one()
    {
        await CommitEventsAsync("t", 4, status: RunStatus.Completed);

        await Checkpoints.DeleteThreadAsync("t", Cancel);
        Assert.Null(await ReadAsync("t"));
        Assert.Empty(await Log.ReadPositionsAsync(["t"], Cancel));
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                Run = Run("t", 2),
            },
            Cancel
        );

        Assert.Equal("", await PageAsync("t", after: 0, limit: 10));
    }

    [Fact]
    public async Task A_copy_does_not_have_the_log_of_the_original()
    {
        await CommitAsync(Checkpoint("c1"));
        await CommitEventsAsync("t", 4);

        await Checkpoints.CopyThreadAsync("t", "c1", "copy", Cancel);
        Assert.Null(await ReadAsync("copy"));
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "copy",
                Fence = 1,
                Run = Run("copy", 2),
            },
            Cancel
        );

        Assert.Equal("", await PageAsync("copy", after: 0, limit: 10));
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static ReadOnlyMemory<byte> Json(string json) => Encoding.UTF8.GetBytes(json);

    private static string Text(ReadOnlyMemory<byte> json) => Encoding.UTF8.GetString(json.Span);

    private static Run Run(string thread, long last) =>
        new()
        {
            ThreadId = thread,
            RunId = "r",
            DefinitionHash = "h",
            Status = RunStatus.Running,
            Fence = 1,
            Attempt = 1,
            LastSequence = last,
            CreatedAt = Time,
            UpdatedAt = Time,
        };

    private async Task<LogPage?> ReadAsync(string thread, long after = 0, int limit = 100) =>
        await Log.ReadAsync(thread, after, limit, Cancel);

    private async Task<string> PageAsync(string thread, long after, int limit)
    {
        var page = await ReadAsync(thread, after, limit);
        return string.Join(' ', [.. page!.Commits.Select(commit => $"{commit.Last}"), .. page.HasMore ? (string[])["more"] : []]);
    }

    /// <summary>Returns the position, which must be the same from both methods.</summary>
    private async Task<LogPosition> PositionAsync(string thread)
    {
        var looked = Assert.Single(await Log.ReadPositionsAsync([thread], Cancel));
        var run = await Runs.FindAsync(thread, Cancel);
        Assert.Equal(new LogPosition(thread, run!.LastSequence, run.Status), looked);
        Assert.Equal(looked, (await ReadAsync(thread))!.Position);
        return looked;
    }

    private async Task CommitEventsAsync(string thread, long last, string? json = null, RunStatus status = RunStatus.Running) =>
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = thread,
                Fence = 1,
                Run = Run(thread, last) with { Status = status },
                Events = new StoredEvents(last, Json(json ?? $$"""[{"seq":{{last}}}]""")),
            },
            Cancel
        );

    private async Task SubmitAsync(string thread, string id) =>
        await Queue.SubmitAsync(
            [
                new RunSubmission(
                    new Run
                    {
                        ThreadId = thread,
                        RunId = id,
                        DefinitionHash = "h",
                        CreatedAt = TimeProvider.System.GetUtcNow(),
                        UpdatedAt = TimeProvider.System.GetUtcNow(),
                    },
                    new StoredDefinition("h", Json("{}")),
                    Json("{}")
                ),
            ],
            null,
            Cancel
        );

    private async Task EndAsync(ClaimedRun claimed)
    {
        var run = claimed.Run with { Status = RunStatus.Completed, LastSequence = claimed.Run.LastSequence + 7 };
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = run.ThreadId,
                Fence = run.Fence,
                Run = run,
                Lease = Long,
            },
            Cancel
        );
    }
}
