using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>Which commits a store accepts, and that they are atomic.</summary>
public abstract partial class CheckpointStoreContract
{
    [Fact]
    public async Task A_commit_is_atomic_for_readers()
    {
        var reader = Task.Run(
            async () =>
            {
                for (var i = 0; i < 300; i++)
                {
                    if (await Load("t") is { } loaded && loaded.Checkpoint.Channels.Length > 0)
                    {
                        var version = loaded.Checkpoint.Channels[0].Version;
                        Assert.Equal($"{version}", Text(Assert.Single(loaded.Values).Json));
                    }
                }
            },
            Cancel
        );
        for (var i = 1; i <= 200; i++)
        {
            await Commit(Checkpoint("t", $"c{i:000}") with { Channels = [new("x", i)] }, values: [Value("x", i, $"{i}")]);
        }
        await reader;
    }

    [Fact]
    public async Task Concurrent_commits_of_many_threads_are_all_stored()
    {
        await Task.WhenAll(
            Enumerable
                .Range(0, 32)
                .Select(thread =>
                    Task.Run(
                        async () =>
                        {
                            for (var i = 0; i < 20; i++)
                            {
                                await Commit(Checkpoint($"t{thread}", $"c{i:00}"));
                            }
                        },
                        Cancel
                    )
                )
        );

        for (var thread = 0; thread < 32; thread++)
        {
            Assert.Equal(20, (await List(new CheckpointQuery($"t{thread}"))).Count);
        }
    }

    [Fact]
    public async Task A_commit_with_an_older_fence_changes_nothing()
    {
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 2,
                Run = Run("t", "r1", 2),
                Checkpoint = Checkpoint("t", "c1"),
            },
            Cancel
        );

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
    public async Task If_two_workers_acquire_a_thread_at_the_same_time_one_of_them_fails()
    {
        StepCommit Take(string run) =>
            new()
            {
                ThreadId = "t",
                Fence = 1,
                Acquires = true,
                Run = Run("t", run, 1),
            };
        await Store.CommitAsync(Take("first"), Cancel);

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await Store.CommitAsync(Take("second"), Cancel));

        Assert.Equal(FaultCodes.LeaseLost, fault.Code);
        Assert.Equal("first", (await Runs.FindAsync("t", Cancel))!.RunId);
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 2,
                Acquires = true,
                Run = Run("t", "first", 2),
            },
            Cancel
        );
    }

    [Fact]
    public async Task A_stale_commit_does_not_affect_other_commits()
    {
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "stale",
                Fence = 5,
                Run = Run("stale", "r", 5),
            },
            Cancel
        );

        var good = Enumerable.Range(0, 20).Select(i => Commit(Checkpoint($"good{i}", "c1"))).ToList();
        var bad = CommitStaleAsync();

        await Task.WhenAll(good);
        await Assert.ThrowsAsync<FaultException>(() => bad);

        async Task CommitStaleAsync() =>
            await Store.CommitAsync(
                new StepCommit
                {
                    ThreadId = "stale",
                    Fence = 4,
                    Checkpoint = Checkpoint("stale", "c1"),
                },
                Cancel
            );
    }
}
