using System.Text;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Xunit;

namespace AgentExecutor.Conformance.Events;

/// <summary>The contract of <see cref="IEventLog"/>, one sentence a test. An implementation's test class inherits it and says only how to make an empty store.</summary>
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

    /// <summary>A store without threads, by its faces.</summary>
    protected abstract ValueTask<(IEventLog Log, ICheckpointStore Checkpoints, IRunStore Runs, IRunQueue Queue)> MakeAsync();

    public async ValueTask InitializeAsync() => (Log, Checkpoints, Runs, Queue) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Where_no_run_is_found_there_is_no_log()
    {
        await Checkpoints.CommitAsync(new StepCommit { ThreadId = "no-run", Fence = 1, Checkpoint = Checkpoint("c1") with { ThreadId = "no-run" } }, Cancel);

        Assert.Null(await Runs.FindAsync("no-run", Cancel));
        Assert.Null(await ReadAsync("no-run"));
        Assert.Null(await ReadAsync("nobody"));
        Assert.Empty(await Log.LookAsync(["no-run", "nobody"], Cancel));
        Assert.Empty(await Log.LookAsync([], Cancel));
    }

    [Fact]
    public async Task A_run_that_waits_has_a_log_without_commits()
    {
        await SubmitAsync("t", "r");

        var page = await ReadAsync("t");

        Assert.Equal((0, false), (page!.Commits.Length, page.HasMore));
        Assert.Equal(new LogPosition("t", 0, RunStatus.Pending), page.Position);
    }

    [Fact]
    public async Task What_commits_told_comes_back_oldest_first_as_it_was_put()
    {
        await TellAsync("t", 3, """[{"seq":1},{"seq":2},{"seq":3,"text":"ü😀\u0000"}]""");
        await TellAsync("t", 5);
        await TellAsync("t", 12);

        var page = await ReadAsync("t");

        Assert.Equal([3L, 5, 12], page!.Commits.Select(commit => commit.Last));
        Assert.Equal("""[{"seq":1},{"seq":2},{"seq":3,"text":"ü😀\u0000"}]""", Text(page.Commits[0].Json));
        Assert.Equal(new LogPosition("t", 12, RunStatus.Running), page.Position);
    }

    [Fact]
    public async Task A_page_has_as_many_commits_as_asked_for_and_says_whether_there_are_more()
    {
        for (var last = 10; last <= 50; last += 10)
        {
            await TellAsync("t", last);
        }

        Assert.Equal("10 20 more", await PageAsync("t", after: 0, limit: 2));
        Assert.Equal("30 40 more", await PageAsync("t", after: 20, limit: 2));
        Assert.Equal("50", await PageAsync("t", after: 40, limit: 2));
        Assert.Equal("40 50", await PageAsync("t", after: 30, limit: 2));
        Assert.Equal("10 20 30 40 50", await PageAsync("t", after: 0, limit: int.MaxValue));
    }

    [Fact]
    public async Task A_commit_is_read_whole_though_some_of_it_was_seen()
    {
        await TellAsync("t", 4, """[{"seq":2},{"seq":3},{"seq":4}]""");
        await TellAsync("t", 6);

        var page = await ReadAsync("t", after: 3);

        Assert.Equal("""[{"seq":2},{"seq":3},{"seq":4}]""", Text(page!.Commits[0].Json));
        Assert.Equal([4L, 6], page.Commits.Select(commit => commit.Last));
    }

    [Fact]
    public async Task After_the_last_there_is_nothing_but_the_position()
    {
        await TellAsync("t", 4);

        Assert.Equal("", await PageAsync("t", after: 4, limit: 10));
        Assert.Equal("", await PageAsync("t", after: 99, limit: 10));
        Assert.Equal(new LogPosition("t", 4, RunStatus.Running), (await ReadAsync("t", after: 99))!.Position);
    }

    [Fact]
    public async Task A_repeated_commit_is_told_once()
    {
        await TellAsync("t", 4);
        await TellAsync("t", 4);

        Assert.Equal("4", await PageAsync("t", after: 0, limit: 10));
    }

    [Fact]
    public async Task Threads_do_not_see_each_others_events()
    {
        await TellAsync("t", 4);
        await TellAsync("t1", 5);
        await TellAsync("T", 6);

        Assert.Equal("4", await PageAsync("t", after: 0, limit: 10));
        Assert.Equal("5", await PageAsync("t1", after: 0, limit: 10));
    }

    [Fact]
    public async Task Many_threads_are_looked_at_in_one_call_and_unknown_ones_are_left_out()
    {
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => TellAsync($"t{i:00}", i + 1)));

        var found = await Log.LookAsync([.. Enumerable.Range(0, 2_000).Select(i => $"t{i:00}"), "t07"], Cancel);

        Assert.Equal(
            Enumerable.Range(0, 40).Select(i => new LogPosition($"t{i:00}", i + 1, RunStatus.Running)), found.OrderBy(it => it.ThreadId, StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_position_moves_with_commits_that_tell_nothing()
    {
        await TellAsync("t", 4);
        await Checkpoints.CommitAsync(new StepCommit { ThreadId = "t", Fence = 1, Run = Run("t", 9) }, Cancel);

        Assert.Equal([new LogPosition("t", 9, RunStatus.Running)], await Log.LookAsync(["t"], Cancel));
        Assert.Equal(9, (await ReadAsync("t"))!.Position.Last);
        Assert.Equal("4", await PageAsync("t", after: 0, limit: 10));
    }

    [Fact(Timeout = Limit)]
    public async Task The_position_is_that_of_the_newest_run_through_claims_and_rescues()
    {
        await SubmitAsync("t", "r1");
        await SubmitAsync("t", "r2");
        var waits = await PositionAsync("t");
        await Queue.ClaimAsync(Short, 1, Cancel);
        var claimed = await PositionAsync("t");
        while ((await Queue.RescueAsync(TimeSpan.Zero, Cancel)).IsEmpty) // until the lease ran out
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
            [waits.Status, claimed.Status, rescued.Status, ended.Status, next.Status]);
        long[] last = [waits.Last, claimed.Last, rescued.Last, ended.Last, next.Last];
        Assert.Equal(last.Order(), last);
        Assert.True(rescued.Last > claimed.Last, "a rescue leaves room for what the lost worker may have told");
    }

    [Fact]
    public async Task A_page_and_its_position_are_of_one_moment()
    {
        const int Count = 200;
        await TellAsync("t", 1);
        var reader = Task.Run(async () =>
        {
            for (var last = 0L; last < Count;)
            {
                var page = await ReadAsync("t", after: last - 1, limit: 1_000);
                Assert.Equal(page!.Position.Last, page.Commits[^1].Last); // every commit here tells of its last number
                last = page.Position.Last;
            }
        }, Cancel);
        for (var last = 2; last <= Count; last++)
        {
            await TellAsync("t", last);
        }
        await reader;
    }

    [Fact]
    public async Task A_deleted_thread_has_no_log_and_a_new_one_of_its_name_begins_with_an_empty_one()
    {
        await TellAsync("t", 4, status: RunStatus.Completed);

        await Checkpoints.DeleteThreadAsync("t", Cancel);
        Assert.Null(await ReadAsync("t"));
        Assert.Empty(await Log.LookAsync(["t"], Cancel));
        await Checkpoints.CommitAsync(new StepCommit { ThreadId = "t", Fence = 1, Run = Run("t", 2) }, Cancel);

        Assert.Equal("", await PageAsync("t", after: 0, limit: 10));
    }

    [Fact]
    public async Task A_copy_has_no_log_of_its_origin()
    {
        await CommitAsync(Checkpoint("c1"));
        await TellAsync("t", 4);

        await Checkpoints.CopyThreadAsync("t", "c1", "copy", Cancel);
        Assert.Null(await ReadAsync("copy"));
        await Checkpoints.CommitAsync(new StepCommit { ThreadId = "copy", Fence = 1, Run = Run("copy", 2) }, Cancel);

        Assert.Equal("", await PageAsync("copy", after: 0, limit: 10));
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static ReadOnlyMemory<byte> Json(string json) => Encoding.UTF8.GetBytes(json);

    private static string Text(ReadOnlyMemory<byte> json) => Encoding.UTF8.GetString(json.Span);

    private static Run Run(string thread, long last) => new()
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

    private async Task<LogPage?> ReadAsync(string thread, long after = 0, int limit = 100) => await Log.ReadAsync(thread, after, limit, Cancel);

    private async Task<string> PageAsync(string thread, long after, int limit)
    {
        var page = await ReadAsync(thread, after, limit);
        return string.Join(' ', [.. page!.Commits.Select(commit => $"{commit.Last}"), .. page.HasMore ? (string[])["more"] : []]);
    }

    /// <summary>The position, which is the same however it is asked for.</summary>
    private async Task<LogPosition> PositionAsync(string thread)
    {
        var looked = Assert.Single(await Log.LookAsync([thread], Cancel));
        var run = await Runs.FindAsync(thread, Cancel);
        Assert.Equal(new LogPosition(thread, run!.LastSequence, run.Status), looked);
        Assert.Equal(looked, (await ReadAsync(thread))!.Position);
        return looked;
    }

    private async Task TellAsync(string thread, long last, string? json = null, RunStatus status = RunStatus.Running) => await Checkpoints.CommitAsync(
        new StepCommit { ThreadId = thread, Fence = 1, Run = Run(thread, last) with { Status = status }, Events = new StoredEvents(last, Json(json ?? $$"""[{"seq":{{last}}}]""")) },
        Cancel);

    private async Task SubmitAsync(string thread, string id) => await Queue.SubmitAsync(
        [
            new RunSubmission(
                new Run { ThreadId = thread, RunId = id, DefinitionHash = "h", CreatedAt = TimeProvider.System.GetUtcNow(), UpdatedAt = TimeProvider.System.GetUtcNow() },
                new StoredDefinition("h", Json("{}")), Json("{}")),
        ],
        null, Cancel);

    private async Task EndAsync(ClaimedRun claimed)
    {
        var run = claimed.Run with { Status = RunStatus.Completed, LastSequence = claimed.Run.LastSequence + 7 };
        await Checkpoints.CommitAsync(new StepCommit { ThreadId = run.ThreadId, Fence = run.Fence, Run = run, Lease = Long }, Cancel);
    }
}
