using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>
/// The contract of <see cref="ICheckpointStore"/> and <see cref="IRunStore"/>, one sentence a test. An implementation's test class inherits it and says only
/// how to make an empty store.
/// </summary>
public abstract class CheckpointStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Time = new(2026, 3, 11, 9, 30, 0, TimeSpan.Zero);

    protected ICheckpointStore Store { get; private set; } = null!;

    protected IRunStore Runs { get; private set; } = null!;

    /// <summary>A store without threads.</summary>
    protected abstract ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync();

    /// <summary>The same store as another process would open it; the same object where it lives in one process alone.</summary>
    protected virtual ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> ReopenAsync() => ValueTask.FromResult((Store, Runs));

    public async ValueTask InitializeAsync() => (Store, Runs) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task An_unknown_thread_has_no_checkpoint_and_no_run()
    {
        Assert.Null(await Load("nobody"));
        Assert.Null(await Runs.FindAsync("nobody", Cancel));
        Assert.Empty(await List(new CheckpointQuery("nobody")));
    }

    [Fact]
    public async Task A_checkpoint_comes_back_as_it_was_put()
    {
        var put = Checkpoint("t", "c1") with
        {
            ParentId = "c0",
            RunId = "r7",
            Step = 3,
            Source = CheckpointSource.Update,
            Channels = [new ChannelVersion("answer", 4), new ChannelVersion("log", 2, IsDelta: true)],
            Updated = ["answer"],
            Due = Json("""[{"node":"a"},{"node":"b","argument":{"x":1}}]"""),
        };
        await Commit(put, values: [Value("answer", 4, "42"), Value("log", 2, "[]")]);

        var loaded = await Load("t");

        Assert.NotNull(loaded);
        Assert.Equal(put with { Due = default, Channels = [], Updated = [] }, loaded.Checkpoint with { Due = default, Channels = [], Updated = [] });
        Assert.Equal(put.Channels, loaded.Checkpoint.Channels);
        Assert.Equal(put.Updated, loaded.Checkpoint.Updated);
        Assert.Equal(Text(put.Due), Text(loaded.Checkpoint.Due));
        Assert.Equal("42", Text(Assert.Single(loaded.Values).Json));
    }

    [Fact]
    public async Task The_newest_checkpoint_is_the_one_with_the_greatest_id()
    {
        await Commit(Checkpoint("t", "c2"));
        await Commit(Checkpoint("t", "c1"));

        Assert.Equal("c2", (await Load("t"))!.Checkpoint.Id);
        Assert.Equal("c1", (await Load("t", id: "c1"))!.Checkpoint.Id);
        Assert.Null(await Load("t", id: "c9"));
    }

    [Fact]
    public async Task An_old_checkpoint_keeps_the_values_that_it_named()
    {
        await Commit(Checkpoint("t", "c1") with { Channels = [new("x", 1)] }, values: [Value("x", 1, "\"old\"")]);
        await Commit(Checkpoint("t", "c2", "c1") with { Channels = [new("x", 2)] }, values: [Value("x", 2, "\"new\"")]);
        await Commit(Checkpoint("t", "c3", "c2") with { Channels = [new("x", 2)] });

        Assert.Equal("\"old\"", Text((await Load("t", id: "c1"))!.Values[0].Json));
        Assert.Equal("\"new\"", Text((await Load("t"))!.Values[0].Json));
    }

    [Fact]
    public async Task Namespaces_and_threads_do_not_see_each_other()
    {
        await Commit(Checkpoint("t", "c1"));
        await Commit(Checkpoint("t", "c5") with { Namespace = "tools:1" });
        await Commit(Checkpoint("other", "c9"));

        Assert.Equal("c1", (await Load("t"))!.Checkpoint.Id);
        Assert.Equal("c5", (await Load("t", "tools:1"))!.Checkpoint.Id);
        Assert.Equal(["c1"], await List(new CheckpointQuery("t")));
        Assert.Equal(["c5", "c1"], await List(new CheckpointQuery("t", Namespace: null)));
    }

    [Fact]
    public async Task Listing_is_newest_first_with_filters_and_a_limit()
    {
        await Commit(Checkpoint("t", "c1") with { Source = CheckpointSource.Input, RunId = "r1" });
        await Commit(Checkpoint("t", "c2", "c1") with { RunId = "r1" });
        await Commit(Checkpoint("t", "c3", "c2") with { Source = CheckpointSource.Input, RunId = "r2" });
        await Commit(Checkpoint("t", "c4", "c3") with { RunId = "r2" });

        Assert.Equal(["c4", "c3", "c2", "c1"], await List(new CheckpointQuery("t")));
        Assert.Equal(["c2", "c1"], await List(new CheckpointQuery("t", Before: "c3")));
        Assert.Equal(["c3", "c1"], await List(new CheckpointQuery("t", Source: CheckpointSource.Input)));
        Assert.Equal(["c4", "c3"], await List(new CheckpointQuery("t", RunId: "r2")));
        Assert.Equal(["c4"], await List(new CheckpointQuery("t", Limit: 1)));
    }

    [Fact]
    public async Task Pending_writes_come_back_by_task_and_index()
    {
        await Commit(Checkpoint("t", "c1"));
        await Write("t", "c1", new("b", 0, "x", Json("3")), new("a", 1, "x", Json("2")), new("a", 0, "x", Json("1")));

        var pending = (await Load("t"))!.Pending;

        Assert.Equal(["a0=1", "a1=2", "b0=3"], pending.Select(write => $"{write.TaskId}{write.Index}={Text(write.Json)}"));
    }

    [Fact]
    public async Task A_repeated_write_changes_nothing_but_on_a_special_channel()
    {
        await Commit(Checkpoint("t", "c1"));
        await Write("t", "c1", new("a", 0, "x", Json("1")), new("a", SpecialChannel.ResumeIndex, SpecialChannel.Resume, Json("1")));
        await Write("t", "c1", new("a", 0, "x", Json("2")), new("a", SpecialChannel.ResumeIndex, SpecialChannel.Resume, Json("2")));

        var pending = (await Load("t"))!.Pending;

        Assert.Equal(["__resume__=2", "x=1"], pending.Select(write => $"{write.Channel}={Text(write.Json)}"));
    }

    [Fact]
    public async Task A_repeated_commit_changes_nothing()
    {
        var checkpoint = Checkpoint("t", "c1") with { Channels = [new("x", 1)] };
        await Commit(checkpoint, values: [Value("x", 1, "1")]);
        await Commit(checkpoint, values: [Value("x", 1, "1")]);

        Assert.Equal(["c1"], await List(new CheckpointQuery("t")));
        Assert.Equal("1", Text((await Load("t"))!.Values[0].Json));
    }

    [Fact]
    public async Task A_delta_channel_is_rebuilt_from_its_last_whole_value_and_the_writes_since()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"b\"]")), new("t2", 0, "log", Json("[\"c\"]"))]);
        await CommitDelta("c3", "c2", 2, writes: [new("t3", 0, "log", Json("[\"d\"]"))]);
        await Write("t", "c3", new StoredWrite("t9", 0, "log", Json("[\"pending\"]")));

        Assert.Equal("""["a"] + ["b"] ["c"] ["d"]""", await Delta("c3"));
        Assert.Equal("""["a"] + ["b"] ["c"]""", await Delta("c2"));
        Assert.Equal("""["a"] + """, await Delta("c1"));
    }

    [Fact]
    public async Task A_delta_channel_without_a_whole_value_is_rebuilt_from_its_writes()
    {
        await Commit(Checkpoint("t", "c1"));
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"a\"]"))]);
        await CommitDelta("c3", "c2", 2, writes: [new("t2", 0, "log", Json("[\"b\"]")), new("t2", 1, "other", Json("0"))]);

        Assert.Equal("""none + ["a"] ["b"]""", await Delta("c3"));
    }

    [Fact]
    public async Task A_later_whole_value_ends_the_walk()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"b\"]"))]);
        await CommitDelta("c3", "c2", 0, whole: "[\"a\",\"b\",\"c\"]", writes: [new("t2", 0, "log", Json("[\"c\"]"))], version: 3);
        await CommitDelta("c4", "c3", 1, writes: [new("t3", 0, "log", Json("[\"d\"]"))], version: 4);

        Assert.Equal("""["a","b","c"] + ["d"]""", await Delta("c4"));
    }

    [Fact]
    public async Task Writes_of_a_sibling_branch_are_not_mixed_in()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"left\"]"))]);
        await CommitDelta("c3", "c2", 2, writes: [new("t2", 0, "log", Json("[\"leaf\"]"))]);
        await CommitDelta("c4", "c1", 1, version: 9);

        Assert.Equal("""["a"] + ["left"]""", await Delta("c4")); // the write stands under the shared parent
        Assert.Equal("""["a"] + ["left"] ["leaf"]""", await Delta("c3"));
    }

    [Fact]
    public async Task A_commit_is_seen_whole_or_not_at_all()
    {
        var reader = Task.Run(async () =>
        {
            for (var i = 0; i < 300; i++)
            {
                if (await Load("t") is { } loaded && loaded.Checkpoint.Channels.Length > 0)
                {
                    var version = loaded.Checkpoint.Channels[0].Version;
                    Assert.Equal($"{version}", Text(Assert.Single(loaded.Values).Json));
                }
            }
        }, Cancel);
        for (var i = 1; i <= 200; i++)
        {
            await Commit(Checkpoint("t", $"c{i:000}") with { Channels = [new("x", i)] }, values: [Value("x", i, $"{i}")]);
        }
        await reader;
    }

    [Fact]
    public async Task Commits_of_many_threads_at_once_all_land()
    {
        await Task.WhenAll(Enumerable.Range(0, 32).Select(thread => Task.Run(async () =>
        {
            for (var i = 0; i < 20; i++)
            {
                await Commit(Checkpoint($"t{thread}", $"c{i:00}"));
            }
        }, Cancel)));

        for (var thread = 0; thread < 32; thread++)
        {
            Assert.Equal(20, (await List(new CheckpointQuery($"t{thread}"))).Count);
        }
    }

    [Fact]
    public async Task A_commit_with_an_older_fence_changes_nothing()
    {
        await Store.CommitAsync(new StepCommit { ThreadId = "t", Fence = 2, Run = Run("t", "r1", 2), Checkpoint = Checkpoint("t", "c1") }, Cancel);

        var stale = new StepCommit
        {
            ThreadId = "t",
            Fence = 1,
            Run = Run("t", "r1", 1) with { Status = RunStatus.Failed },
            Checkpoint = Checkpoint("t", "c2"),
            WritesUnder = "c1",
            Writes = [new("a", 0, "x", Json("1"))],
        };
        var fault = await Assert.ThrowsAsync<FaultException>(async () => await Store.CommitAsync(stale, Cancel));

        Assert.Equal(FaultCodes.LeaseLost, fault.Code);
        var loaded = await Load("t");
        Assert.Equal("c1", loaded!.Checkpoint.Id);
        Assert.Empty(loaded.Pending);
        Assert.Equal(RunStatus.Running, (await Runs.FindAsync("t", Cancel))!.Status);
    }

    [Fact]
    public async Task Of_two_workers_that_take_a_thread_at_once_one_fails()
    {
        StepCommit Take(string run) => new() { ThreadId = "t", Fence = 1, Acquires = true, Run = Run("t", run, 1) };
        await Store.CommitAsync(Take("first"), Cancel);

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await Store.CommitAsync(Take("second"), Cancel));

        Assert.Equal(FaultCodes.LeaseLost, fault.Code);
        Assert.Equal("first", (await Runs.FindAsync("t", Cancel))!.RunId);
        await Store.CommitAsync(new StepCommit { ThreadId = "t", Fence = 2, Acquires = true, Run = Run("t", "first", 2) }, Cancel);
    }

    [Fact]
    public async Task A_stale_commit_fails_alone()
    {
        await Store.CommitAsync(new StepCommit { ThreadId = "stale", Fence = 5, Run = Run("stale", "r", 5) }, Cancel);

        var good = Enumerable.Range(0, 20).Select(i => Commit(Checkpoint($"good{i}", "c1"))).ToList();
        var bad = CommitStaleAsync();

        await Task.WhenAll(good);
        await Assert.ThrowsAsync<FaultException>(() => bad);

        async Task CommitStaleAsync() =>
            await Store.CommitAsync(new StepCommit { ThreadId = "stale", Fence = 4, Checkpoint = Checkpoint("stale", "c1") }, Cancel);
    }

    [Fact]
    public async Task A_run_comes_back_as_it_was_put_and_as_it_was_last_changed()
    {
        var run = Run("t", "r1", 1) with
        {
            Name = "demo",
            TraceId = "abc",
            LastSequence = 99,
            Usage = new RunUsage(5, 2, 3, new(100, 20, 10, 5), 1.5),
        };
        await Store.CommitAsync(new StepCommit { ThreadId = "t", Fence = 1, Run = run }, Cancel);
        Assert.Equal(run, await Runs.FindAsync("t", Cancel));

        var failed = run with { Status = RunStatus.Failed, Fence = 2, Failure = new("code", "message", "type", "hint") };
        await Store.CommitAsync(new StepCommit { ThreadId = "t", Fence = 2, Run = failed }, Cancel);
        Assert.Equal(failed, await Runs.FindAsync("t", Cancel));
    }

    [Fact]
    public async Task The_newest_run_of_each_thread_is_listed_last_changed_first()
    {
        await Store.CommitAsync(new StepCommit { ThreadId = "a", Fence = 1, Run = Run("a", "a1", 1) with { Status = RunStatus.Completed } }, Cancel);
        await Store.CommitAsync(new StepCommit { ThreadId = "b", Fence = 1, Run = Run("b", "b1", 1) with { UpdatedAt = Time.AddMinutes(2) } }, Cancel);
        await Store.CommitAsync(new StepCommit { ThreadId = "a", Fence = 2, Run = Run("a", "a2", 2) with { UpdatedAt = Time.AddMinutes(1) } }, Cancel);

        Assert.Equal(["b1", "a2"], await ListRuns(new RunQuery()));
        Assert.Equal(["b1"], await ListRuns(new RunQuery(Limit: 1)));
        Assert.Empty(await ListRuns(new RunQuery(RunStatus.Completed)));
        Assert.Equal("a2", (await Runs.FindAsync("a", Cancel))!.RunId);
    }

    [Fact]
    public async Task A_definition_is_kept_by_its_hash()
    {
        var commit = new StepCommit { ThreadId = "t", Fence = 1, Run = Run("t", "r", 1), Definition = new("h1", Json("""{"nodes":[]}""")) };
        await Store.CommitAsync(commit, Cancel);
        await Store.CommitAsync(commit, Cancel);

        Assert.Equal("""{"nodes":[]}""", Text((await Runs.FindDefinitionAsync("h1", Cancel))!.Json));
        Assert.Null(await Runs.FindDefinitionAsync("h2", Cancel));
    }

    [Fact]
    public async Task A_copy_has_the_history_up_to_its_checkpoint_and_goes_its_own_way()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"b\"]"))]);
        await CommitDelta("c3", "c2", 2, writes: [new("t2", 0, "log", Json("[\"c\"]"))], plain: ("x", 3, "\"origin\""));
        await Write("t", "c2", new StoredWrite("t5", SpecialChannel.DoneIndex, SpecialChannel.Done, Json("null")));

        await Store.CopyThreadAsync("t", "c2", "copy", Cancel);

        Assert.Equal(["c2", "c1"], await List(new CheckpointQuery("copy")));
        Assert.Equal("""["a"] + ["b"]""", await Delta("c2", "copy"));
        Assert.Empty((await Load("copy"))!.Pending);
        await CommitDelta("c4", "c2", 2, writes: [new("t3", 0, "log", Json("[\"z\"]"))], thread: "copy", plain: ("x", 3, "\"copy\""));
        Assert.Equal("""["a"] + ["b"] ["z"]""", await Delta("c4", "copy"));
        Assert.Equal("\"copy\"", Text((await Load("copy"))!.Values[0].Json));
        Assert.Equal("\"origin\"", Text((await Load("t"))!.Values[0].Json));
    }

    [Fact]
    public async Task A_copy_needs_its_checkpoint_and_a_free_name()
    {
        await Commit(Checkpoint("t", "c1"));
        await Commit(Checkpoint("taken", "c1"));

        Assert.Equal(FaultCodes.UnknownCheckpoint, (await Assert.ThrowsAsync<FaultException>(async () => await Store.CopyThreadAsync("t", "c9", "copy", Cancel))).Code);
        Assert.Equal(FaultCodes.UnknownCheckpoint, (await Assert.ThrowsAsync<FaultException>(async () => await Store.CopyThreadAsync("no", "c1", "copy", Cancel))).Code);
        Assert.Equal(FaultCodes.ThreadExists, (await Assert.ThrowsAsync<FaultException>(async () => await Store.CopyThreadAsync("t", "c1", "taken", Cancel))).Code);
    }

    [Fact]
    public async Task A_deleted_thread_is_gone_and_others_stay()
    {
        await Store.CommitAsync(new StepCommit { ThreadId = "t", Fence = 1, Run = Run("t", "r", 1), Checkpoint = Checkpoint("t", "c1") }, Cancel);
        await Commit(Checkpoint("t", "c2") with { Namespace = "tools:1" });
        await Commit(Checkpoint("stays", "c1"));

        await Store.DeleteThreadAsync("t", Cancel);
        await Store.DeleteThreadAsync("t", Cancel);

        Assert.Null(await Load("t"));
        Assert.Null(await Load("t", "tools:1"));
        Assert.Null(await Runs.FindAsync("t", Cancel));
        Assert.NotNull(await Load("stays"));
    }

    [Fact]
    public async Task Pruning_keeps_the_newest_and_what_rebuilds_them()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 0, whole: "[\"a\",\"b\"]", version: 2);
        await CommitDelta("c3", "c2", 1, writes: [new("t2", 0, "log", Json("[\"c\"]"))], version: 3);
        await CommitDelta("c4", "c3", 2, writes: [new("t3", 0, "log", Json("[\"d\"]"))], version: 4);

        var gone = await Store.PruneAsync("t", 1, Cancel);

        Assert.Equal(1, gone); // c2 and c3 rebuild c4
        Assert.Null(await Load("t", id: "c1"));
        Assert.Equal("""["a","b"] + ["c"] ["d"]""", await Delta("c4"));
    }

    [Fact]
    public async Task What_was_committed_is_there_when_the_store_is_opened_again()
    {
        await Store.CommitAsync(
            new StepCommit { ThreadId = "t", Fence = 1, Run = Run("t", "r", 1), Checkpoint = Checkpoint("t", "c1") with { Channels = [new("x", 1)] }, Values = [Value("x", 1, "\"ü😀\"")] },
            Cancel);

        (Store, Runs) = await ReopenAsync();

        Assert.Equal("\"ü😀\"", Text((await Load("t"))!.Values[0].Json));
        Assert.Equal("r", (await Runs.FindAsync("t", Cancel))!.RunId);
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static ReadOnlyMemory<byte> Json(string json) => Encoding.UTF8.GetBytes(json);

    private static string Text(ReadOnlyMemory<byte> json) => Encoding.UTF8.GetString(json.Span);

    private static StoredValue Value(string channel, int version, string json) => new(channel, version, Json(json));

    private static StoredCheckpoint Checkpoint(string thread, string id, string? parent = null) => new()
    {
        ThreadId = thread,
        Namespace = "",
        Id = id,
        ParentId = parent,
        Source = CheckpointSource.Loop,
        Time = Time,
        Due = Json("[]"),
    };

    private static Run Run(string thread, string id, long fence) => new()
    {
        ThreadId = thread,
        RunId = id,
        DefinitionHash = "h",
        Status = RunStatus.Running,
        Fence = fence,
        Attempt = 1,
        CreatedAt = Time,
        UpdatedAt = Time,
    };

    private async Task Commit(StoredCheckpoint checkpoint, params ImmutableArray<StoredValue> values) => await Store.CommitAsync(
        new StepCommit { ThreadId = checkpoint.ThreadId, Fence = 1, Namespace = checkpoint.Namespace, Checkpoint = checkpoint, Values = values }, Cancel);

    private async Task Write(string thread, string under, params ImmutableArray<StoredWrite> writes) => await Store.CommitAsync(
        new StepCommit { ThreadId = thread, Fence = 1, WritesUnder = under, Writes = writes }, Cancel);

    private async Task CommitDelta(
        string id, string? parent, int updates, string? whole = null, StoredWrite[]? writes = null, int version = 1, string thread = "t",
        (string Channel, int Version, string Json)? plain = null)
    {
        ImmutableArray<ChannelVersion> channels = [new("log", version, IsDelta: true, updates, updates)];
        ImmutableArray<StoredValue> values = whole is null ? [] : [Value("log", version, whole)];
        if (plain is { } extra)
        {
            channels = channels.Add(new(extra.Channel, extra.Version));
            values = values.Add(Value(extra.Channel, extra.Version, extra.Json));
        }
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = thread,
                Fence = 1,
                WritesUnder = parent,
                Writes = [.. writes ?? []],
                Checkpoint = Checkpoint(thread, id, parent) with { Channels = channels },
                Values = values,
            },
            Cancel);
    }

    private async Task<string> Delta(string id, string thread = "t")
    {
        var history = Assert.Single((await Load(thread, id: id))!.Deltas);
        return $"{(history.Base is { } whole ? Text(whole) : "none")} + {string.Join(' ', history.Updates.Select(Text))}";
    }

    private async Task<LoadedCheckpoint?> Load(string thread, string ns = "", string? id = null) => await Store.LoadAsync(thread, ns, id, Cancel);

    private async Task<List<string>> List(CheckpointQuery query) => await Store.ListAsync(query, Cancel).Select(checkpoint => checkpoint.Id).ToListAsync(Cancel);

    private async Task<List<string>> ListRuns(RunQuery query) => await Runs.ListAsync(query, Cancel).Select(run => run.RunId).ToListAsync(Cancel);
}
