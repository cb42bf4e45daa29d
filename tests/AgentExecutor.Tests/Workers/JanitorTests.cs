using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Tests.Workers;

public sealed class JanitorTests
{
    private readonly InMemoryCheckpointStore _store = new();

    [Fact]
    public async Task Only_old_ended_threads_are_deleted()
    {
        await EndAsync("old", daysAgo: 40);
        await EndAsync("young", daysAgo: 1);
        await EndAsync("open", daysAgo: 40, RunStatus.Interrupted);

        var swept = await SweepAsync(new RetentionSettings { FinishedDays = 30 });

        Assert.Equal(1, swept.Threads);
        Assert.Equal(["young", "open"], await ThreadsAsync());
    }

    [Fact]
    public async Task The_most_recently_ended_threads_are_kept()
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

    [Fact]
    public async Task Only_a_thread_that_could_not_be_pruned_is_pruned_again_in_each_round()
    {
        foreach (var thread in (string[])["a", "stuck", "b"])
        {
            await EndAsync(thread, daysAgo: 1, checkpoints: 9);
        }
        var store = new StubbornStore(_store, "stuck");
        var janitor = new Janitor(_store, store, _store, null, TimeProvider.System, NullLogger<Janitor>.Instance);
        var settings = new RetentionSettings { Checkpoints = 3 };

        Assert.Equal(12, (await janitor.SweepAsync(settings, isDryRun: false, Cancel)).Checkpoints);
        store.Pruned.Clear();
        Assert.Equal(0, (await janitor.SweepAsync(settings, isDryRun: false, Cancel)).Checkpoints);
        Assert.Equal(["stuck"], store.Pruned);
        store.Refuses = false;
        Assert.Equal(6, (await janitor.SweepAsync(settings, isDryRun: false, Cancel)).Checkpoints);
        store.Pruned.Clear();
        Assert.Equal(0, (await janitor.SweepAsync(settings, isDryRun: false, Cancel)).Checkpoints);
        Assert.Empty(store.Pruned);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private async Task<SweepResult> SweepAsync(RetentionSettings settings, bool isDryRun = false) =>
        await new Janitor(_store, _store, _store, null, TimeProvider.System, NullLogger<Janitor>.Instance).SweepAsync(
            settings,
            isDryRun,
            Cancel
        );

    private async Task<List<string>> ThreadsAsync() =>
        await _store.ListAsync(new RunQuery(), Cancel).Select(run => run.ThreadId).ToListAsync(Cancel);

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
                    Run = new Run
                    {
                        ThreadId = thread,
                        RunId = "r",
                        DefinitionHash = "h",
                        Status = status,
                        Fence = 1,
                        CreatedAt = then,
                        UpdatedAt = then,
                    },
                    Checkpoint = new StoredCheckpoint
                    {
                        ThreadId = thread,
                        Namespace = "",
                        Id = $"c{i:00}",
                    },
                },
                Cancel
            );
        }
    }

    /// <summary>Refuses to prune one thread, and records which threads it was asked to prune.</summary>
    private sealed class StubbornStore(ICheckpointStore store, string refused) : ICheckpointStore
    {
        public bool Refuses { get; set; } = true;

        public List<string> Pruned { get; } = [];

        public ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken) =>
            store.CommitAsync(commit, cancellationToken);

        public ValueTask<LoadedCheckpoint?> LoadAsync(
            string threadId,
            string ns,
            string? checkpointId,
            CancellationToken cancellationToken
        ) => store.LoadAsync(threadId, ns, checkpointId, cancellationToken);

        public IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken) =>
            store.ListAsync(query, cancellationToken);

        public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
            store.FindToolCallAsync(threadId, taskId, cancellationToken);

        public ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken) =>
            store.CopyThreadAsync(threadId, checkpointId, toThreadId, cancellationToken);

        public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) =>
            store.DeleteThreadAsync(threadId, cancellationToken);

        public ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken)
        {
            Pruned.Add(threadId);
            return Refuses && threadId == refused
                ? throw new FaultException(FaultCodes.StoreTimeout, "the thread is locked")
                : store.PruneAsync(threadId, keep, cancellationToken);
        }
    }
}
