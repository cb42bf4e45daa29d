using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>Runs and definitions, and copying, deleting and pruning threads.</summary>
public abstract partial class CheckpointStoreContract
{
    [Fact]
    public async Task A_run_is_read_back_in_its_last_state()
    {
        var run = Run("t", "r1", 1) with
        {
            Name = "demo",
            TraceId = "abc",
            LastSequence = 99,
            Usage = new RunUsage(5, 2, 3, new(100, 20, 10, 5), 1.5),
        };
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                Run = run,
            },
            Cancel
        );
        Assert.Equal(run, await Runs.FindAsync("t", Cancel));

        var failed = run with { Status = RunStatus.Failed, Fence = 2, Failure = new("code", "message", "type", "hint") };
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 2,
                Run = failed,
            },
            Cancel
        );
        Assert.Equal(failed, await Runs.FindAsync("t", Cancel));
    }

    [Fact]
    public async Task The_newest_run_of_each_thread_is_listed_most_recently_created_first()
    {
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "a",
                Fence = 1,
                Run = Run("a", "a1", 1) with { Status = RunStatus.Completed },
            },
            Cancel
        );
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "b",
                Fence = 1,
                Run = Run("b", "b1", 1) with { CreatedAt = Time.AddMinutes(2) },
            },
            Cancel
        );
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "a",
                Fence = 2,
                Run = Run("a", "a2", 2) with { CreatedAt = Time.AddMinutes(1) },
            },
            Cancel
        );

        Assert.Equal(["b1", "a2"], await ListRuns(new RunQuery()));
        Assert.Equal(["b1"], await ListRuns(new RunQuery(Limit: 1)));
        Assert.Empty(await ListRuns(new RunQuery(RunStatus.Completed)));
        Assert.Equal("a2", (await Runs.FindAsync("a", Cancel))!.RunId);
    }

    [Fact]
    public async Task A_definition_is_stored_by_its_hash()
    {
        var commit = new StepCommit
        {
            ThreadId = "t",
            Fence = 1,
            Run = Run("t", "r", 1),
            Definition = new("h1", Json("""{"nodes":[]}""")),
        };
        await Store.CommitAsync(commit, Cancel);
        await Store.CommitAsync(commit, Cancel);

        Assert.Equal("""{"nodes":[]}""", Text((await Runs.FindDefinitionAsync("h1", Cancel))!.Json));
        Assert.Null(await Runs.FindDefinitionAsync("h2", Cancel));
    }

    [Fact]
    public async Task A_copy_has_the_history_up_to_its_checkpoint_and_is_independent()
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
    public async Task A_copy_requires_an_existing_checkpoint_and_a_new_thread_id()
    {
        await Commit(Checkpoint("t", "c1"));
        await Commit(Checkpoint("taken", "c1"));

        Assert.Equal(
            FaultCodes.UnknownCheckpoint,
            (await Assert.ThrowsAsync<FaultException>(async () => await Store.CopyThreadAsync("t", "c9", "copy", Cancel))).Code
        );
        Assert.Equal(
            FaultCodes.UnknownCheckpoint,
            (await Assert.ThrowsAsync<FaultException>(async () => await Store.CopyThreadAsync("no", "c1", "copy", Cancel))).Code
        );
        Assert.Equal(
            FaultCodes.ThreadExists,
            (await Assert.ThrowsAsync<FaultException>(async () => await Store.CopyThreadAsync("t", "c1", "taken", Cancel))).Code
        );
    }

    [Fact]
    public async Task Deleting_a_thread_does_not_affect_others()
    {
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                Run = Run("t", "r", 1),
                Checkpoint = Checkpoint("t", "c1"),
            },
            Cancel
        );
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
    public async Task Pruning_keeps_the_newest_checkpoints_and_what_rebuilds_them()
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

    private async Task<List<string>> ListRuns(RunQuery query) =>
        await Runs.ListAsync(query, Cancel).Select(run => run.RunId).ToListAsync(Cancel);
}
