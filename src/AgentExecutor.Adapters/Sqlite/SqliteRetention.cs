using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Maintains the database file. Only one process uses the file, so it is always the one that maintains it. A thread is deleted in one
/// transaction, so there are no unfinished deletions.
/// </summary>
internal sealed class SqliteRetention(SqliteAccess access) : IRetentionStore
{
    /// <summary>How many definitions one call checks.</summary>
    private const int Batch = 1_000;

    private string _after = "";

    public ValueTask<bool> TryLeadAsync(Lease lease, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask<ImmutableArray<string>> UnfinishedDeletionsAsync(string after, int atMost, CancellationToken cancellationToken) =>
        ValueTask.FromResult<ImmutableArray<string>>([]);

    /// <summary>
    /// Checks the next definitions in the order of their hashes, and deletes those that no run uses. After the last definition, the next
    /// call starts again with the first.
    /// </summary>
    public async ValueTask<int> DropDefinitionsAsync(int atMost, CancellationToken cancellationToken)
    {
        var (last, dropped) = await access.WriteAsync(database => Drop(database, _after, atMost), cancellationToken);
        _after = last;
        return dropped;
    }

    private static (string Last, int Dropped) Drop(SqliteStatements database, string after, int atMost)
    {
        var (hashes, unused) = (0, new List<string>());
        var last = "";
        using (
            var row = database.Query(
                """
                SELECT hash, EXISTS (SELECT 1 FROM runs WHERE definition_hash = hash) AS is_used
                FROM definitions
                WHERE hash > $1
                ORDER BY hash LIMIT $2
                """,
                after,
                Batch
            )
        )
        {
            while (unused.Count < atMost && row.Read())
            {
                (last, hashes) = (row.Text("hash"), hashes + 1);
                if (!row.Flag("is_used"))
                {
                    unused.Add(last);
                }
            }
        }
        foreach (var hash in unused)
        {
            database.Run("DELETE FROM definitions WHERE hash = $1", hash);
        }
        return (hashes == Batch || unused.Count == atMost ? last : "", unused.Count);
    }
}
