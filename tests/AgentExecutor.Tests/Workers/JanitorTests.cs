using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Tests.Workers;

public sealed class JanitorTests
{
    private readonly InMemoryCheckpointStore _store = new();

    [Fact]
    public async Task Old_threads_go_and_young_and_unfinished_ones_stay()
    {
        await EndAsync("old", daysAgo: 40);
        await EndAsync("young", daysAgo: 1);
        await EndAsync("open", daysAgo: 40, RunStatus.Interrupted);

        var swept = await SweepAsync(new RetentionSettings { FinishedDays = 30 });

        Assert.Equal(1, swept.Threads);
        Assert.Equal(["young", "open"], await ThreadsAsync());
    }

    [Fact]
    public async Task So_many_ended_threads_stay_the_last_ended()
    {
        for (var i = 1; i <= 250; i++)
        {
            await EndAsync($"t{i}", daysAgo: i);
        }

        var counted = await SweepAsync(new RetentionSettings { FinishedThreads = 2 }, isDryRun: true);
        Assert.Equal(248, counted.Threads);
        Assert.Equal(250, (await ThreadsAsync()).Count);

        await SweepAsync(new RetentionSettings { FinishedThreads = 2 });
        Assert.Equal(["t1", "t2"], await ThreadsAsync());
    }

    [Fact]
    public async Task Ended_threads_keep_their_newest_checkpoints()
    {
        await EndAsync("t", daysAgo: 1, checkpoints: 9);

        var swept = await SweepAsync(new RetentionSettings { Checkpoints = 3 });

        Assert.Equal(6, swept.Checkpoints);
        Assert.Equal(3, (await _store.ListAsync(new CheckpointQuery("t"), Cancel).ToListAsync(Cancel)).Count);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private async Task<Swept> SweepAsync(RetentionSettings settings, bool isDryRun = false) =>
        await new Janitor(_store, _store, null, TimeProvider.System, NullLogger<Janitor>.Instance).SweepAsync(settings, isDryRun, Cancel);

    private async Task<List<string>> ThreadsAsync() => await _store.ListAsync(new RunQuery(), Cancel).Select(run => run.ThreadId).ToListAsync(Cancel);

    private async Task EndAsync(string thread, int daysAgo, RunStatus status = RunStatus.Completed, int checkpoints = 1)
    {
        var then = TimeProvider.System.GetUtcNow().AddDays(-daysAgo);
        for (var i = 1; i <= checkpoints; i++)
        {
            await _store.CommitAsync(
                new StepCommit
                {
                    ThreadId = thread,
                    Fence = 1,
                    Run = new Run { ThreadId = thread, RunId = "r", DefinitionHash = "h", Status = status, Fence = 1, UpdatedAt = then },
                    Checkpoint = new StoredCheckpoint { ThreadId = thread, Namespace = "", Id = $"c{i:00}" },
                },
                Cancel);
        }
    }
}
