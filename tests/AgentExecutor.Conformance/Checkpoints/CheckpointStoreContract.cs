using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>
/// The contract of <see cref="ICheckpointStore"/> and <see cref="IRunStore"/>. The test class of an implementation inherits it and only
/// defines how to create an empty store.
/// </summary>
public abstract partial class CheckpointStoreContract : IAsyncLifetime
{
    private static readonly DateTimeOffset Time = new(2026, 3, 11, 9, 30, 0, TimeSpan.Zero);

    protected ICheckpointStore Store { get; private set; } = null!;

    protected IRunStore Runs { get; private set; } = null!;

    /// <summary>Creates a store without threads.</summary>
    protected abstract ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync();

    /// <summary>Opens the same store as another process would; returns the same object if the store belongs to one process.</summary>
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
    public async Task A_checkpoint_is_read_back_unchanged()
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
        Assert.Equal(
            put with
            {
                Due = default,
                Channels = [],
                Updated = [],
            },
            loaded.Checkpoint with
            {
                Due = default,
                Channels = [],
                Updated = [],
            }
        );
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
    public async Task An_old_checkpoint_keeps_its_values()
    {
        await Commit(Checkpoint("t", "c1") with { Channels = [new("x", 1)] }, values: [Value("x", 1, "\"old\"")]);
        await Commit(Checkpoint("t", "c2", "c1") with { Channels = [new("x", 2)] }, values: [Value("x", 2, "\"new\"")]);
        await Commit(Checkpoint("t", "c3", "c2") with { Channels = [new("x", 2)] });

        Assert.Equal("\"old\"", Text((await Load("t", id: "c1"))!.Values[0].Json));
        Assert.Equal("\"new\"", Text((await Load("t"))!.Values[0].Json));
    }

    [Fact]
    public async Task Namespaces_and_threads_are_independent()
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
    public async Task Pending_writes_are_ordered_by_task_and_index()
    {
        await Commit(Checkpoint("t", "c1"));
        await Write("t", "c1", new("b", 0, "x", Json("3")), new("a", 1, "x", Json("2")), new("a", 0, "x", Json("1")));

        var pending = (await Load("t"))!.Pending;

        Assert.Equal(["a0=1", "a1=2", "b0=3"], pending.Select(write => $"{write.TaskId}{write.Index}={Text(write.Json)}"));
    }

    [Fact]
    public async Task A_repeated_write_changes_nothing_except_on_a_special_channel()
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
    public async Task Committed_data_is_available_after_the_store_is_reopened()
    {
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                Run = Run("t", "r", 1),
                Checkpoint = Checkpoint("t", "c1") with { Channels = [new("x", 1)] },
                Values = [Value("x", 1, "\"ü😀\"")],
            },
            Cancel
        );

        (Store, Runs) = await ReopenAsync();

        Assert.Equal("\"ü😀\"", Text((await Load("t"))!.Values[0].Json));
        Assert.Equal("r", (await Runs.FindAsync("t", Cancel))!.RunId);
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static ReadOnlyMemory<byte> Json(string json) => Encoding.UTF8.GetBytes(json);

    private static string Text(ReadOnlyMemory<byte> json) => Encoding.UTF8.GetString(json.Span);

    private static StoredValue Value(string channel, int version, string json) => new(channel, version, Json(json));

    private static StoredCheckpoint Checkpoint(string thread, string id, string? parent = null) =>
        new()
        {
            ThreadId = thread,
            Namespace = "",
            Id = id,
            ParentId = parent,
            Source = CheckpointSource.Loop,
            Time = Time,
            Due = Json("[]"),
        };

    private static Run Run(string thread, string id, long fence) =>
        new()
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

    private async Task Commit(StoredCheckpoint checkpoint, params ImmutableArray<StoredValue> values) =>
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = checkpoint.ThreadId,
                Fence = 1,
                Namespace = checkpoint.Namespace,
                Checkpoint = checkpoint,
                Values = values,
            },
            Cancel
        );

    private async Task Write(string thread, string under, params ImmutableArray<StoredWrite> writes) =>
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = thread,
                Fence = 1,
                WritesUnder = under,
                Writes = writes,
            },
            Cancel
        );

    private async Task<LoadedCheckpoint?> Load(string thread, string ns = "", string? id = null) =>
        await Store.LoadAsync(thread, ns, id, Cancel);

    private async Task<List<string>> List(CheckpointQuery query) =>
        await Store.ListAsync(query, Cancel).Select(checkpoint => checkpoint.Id).ToListAsync(Cancel);
}
