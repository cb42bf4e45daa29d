using System.Diagnostics;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Sqlite;

/// <summary>Retention of a thread with very many checkpoints while others commit.</summary>
public sealed class SqliteLongThreadTests : IAsyncDisposable
{
    private const int Checkpoints = 20_000;

    private readonly TempDirectory _directory = new();
    private readonly SqliteCheckpointStore _store;

    public SqliteLongThreadTests() =>
        _store = new SqliteCheckpointStore(new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false });

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task Deletion_lets_others_commit_in_between_and_leaves_nothing()
    {
        await FillAsync();

        await WriteWhileAsync(async () => await _store.DeleteThreadAsync("long", Cancel));

        Assert.Null(await _store.FindAsync("long", Cancel));
        Assert.Null(await _store.LoadAsync("long", "", null, Cancel));
    }

    [Fact]
    public async Task Pruning_lets_others_commit_in_between_and_keeps_the_newest_checkpoints()
    {
        await FillAsync();

        var others = await WriteWhileAsync(async () => Assert.Equal(Checkpoints - 10, await _store.PruneAsync("long", 10, Cancel)));

        Assert.InRange(others, 10, int.MaxValue); // with a single transaction, there would be one or two
        Assert.Equal(10, (await _store.ListAsync(new CheckpointQuery("long"), Cancel).ToListAsync(Cancel)).Count);
        Assert.Equal(20L, _store.Access.Read(database => database.Scalar("SELECT count(*) FROM channel_values")));
        Assert.Equal(2, (await _store.LoadAsync("long", "", null, Cancel))!.Values.Length);
    }

    /// <summary>Returns the number of successive commits of others that ended in the meantime.</summary>
    private async Task<int> WriteWhileAsync(Func<Task> work)
    {
        var (count, longest) = (0, TimeSpan.Zero);
        var working = Task.Run(work, Cancel);
        do
        {
            var one = Stopwatch.StartNew();
            await _store.CommitAsync(
                new StepCommit
                {
                    ThreadId = $"other{count}",
                    Fence = 1,
                    Run = Ended($"other{count}"),
                },
                Cancel
            );
            longest = one.Elapsed > longest ? one.Elapsed : longest;
            count++;
        } while (!working.IsCompleted);
        await working;
        TestContext.Current.TestOutputHelper?.WriteLine($"{count} commits, the longest took {longest.TotalMilliseconds:0} ms");
        return count;
    }

    private async Task FillAsync()
    {
        await _store.CommitAsync(
            new StepCommit
            {
                ThreadId = "long",
                Fence = 1,
                Run = Ended("long"),
                Checkpoint = new StoredCheckpoint
                {
                    ThreadId = "long",
                    Namespace = "",
                    Id = "c000000",
                },
            },
            Cancel
        );
        await Parallel.ForEachAsync(
            Enumerable.Range(1, Checkpoints - 1),
            new ParallelOptions { MaxDegreeOfParallelism = 200, CancellationToken = Cancel },
            async (i, cancel) =>
                await _store.CommitAsync(
                    new StepCommit
                    {
                        ThreadId = "long",
                        Fence = 1,
                        Values = [new StoredValue("x", i, "1"u8.ToArray()), new StoredValue("y", i, "1"u8.ToArray())],
                        Checkpoint = new StoredCheckpoint
                        {
                            ThreadId = "long",
                            Namespace = "",
                            Id = $"c{i:000000}",
                            Channels = [new ChannelVersion("x", i), new ChannelVersion("y", i)],
                        },
                        Events = new StoredEvents(i, "[]"u8.ToArray()),
                    },
                    cancel
                )
        );
    }

    private static Run Ended(string thread)
    {
        var now = TimeProvider.System.GetUtcNow();
        return new Run
        {
            ThreadId = thread,
            RunId = "r",
            DefinitionHash = "h",
            Status = RunStatus.Completed,
            Fence = 1,
            CreatedAt = now,
            UpdatedAt = now,
        };
    }
}
