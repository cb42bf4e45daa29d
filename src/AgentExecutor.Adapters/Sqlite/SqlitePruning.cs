using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Prunes the checkpoints of a thread. It first reads which checkpoints are not needed, and then deletes them in short transactions, so
/// that other writes do not wait for long. The newest of them are deleted first, so that the state of the remaining checkpoints can be
/// rebuilt at any moment. If the thread has continued in the meantime, the remaining checkpoints are left for the next call.
/// </summary>
internal static class SqlitePruning
{
    /// <summary>Deleting this many checkpoints takes the writer about 20 ms.</summary>
    private const int Batch = 500;

    public static async ValueTask<int> PruneAsync(SqliteAccess access, string threadId, int keep, CancellationToken cancellationToken)
    {
        var count = 0;
        foreach (var (space, ns) in access.Read(database => Spaces(database, threadId)))
        {
            var (newest, needed, unneeded) = access.Read(database => Plan(database, space, threadId, ns, keep));
            var values = new ValuesToDelete(unneeded, needed);
            foreach (var batch in unneeded.Chunk(Batch))
            {
                var free = values.After(batch);
                if (!await access.WriteAsync(database => Delete(database, space, newest, batch, free), cancellationToken))
                {
                    break;
                }
                count += batch.Length;
            }
        }
        return count;
    }

    private static List<(long Id, string Namespace)> Spaces(SqliteStatements database, string threadId)
    {
        var spaces = new List<(long Id, string Namespace)>();
        using var row = database.Query("SELECT id, ns FROM spaces WHERE thread_id = $1", threadId);
        while (row.Read())
        {
            spaces.Add((row.Number("id"), row.Text("ns")));
        }
        return spaces;
    }

    private static (string Newest, List<StoredCheckpoint> Needed, List<StoredCheckpoint> Unneeded) Plan(
        SqliteStatements database,
        long space,
        string threadId,
        string ns,
        int keep
    )
    {
        var all = SqliteThreads.Checkpoints(database, space, threadId, ns);
        if (all.Count <= keep)
        {
            return ("", all, []);
        }
        using var history = new SqliteHistory(database, space, threadId, ns, all[0].Id);
        var needed = DeltaWalk.Needed(all.Take(keep), history);
        return (
            all[0].Id,
            all.FindAll(checkpoint => needed.Contains(checkpoint.Id)),
            all.FindAll(checkpoint => !needed.Contains(checkpoint.Id))
        );
    }

    /// <summary>Returns false, and deletes nothing, if the thread has a newer checkpoint by now.</summary>
    private static bool Delete(
        SqliteStatements database,
        long space,
        string newest,
        StoredCheckpoint[] batch,
        IReadOnlyList<(string Channel, int Version)> values
    )
    {
        if (database.Scalar("SELECT max(checkpoint_id) FROM checkpoints WHERE space_id = $1", space) as string != newest)
        {
            return false;
        }
        foreach (var checkpoint in batch)
        {
            database.Run("DELETE FROM checkpoints WHERE space_id = $1 AND checkpoint_id = $2", space, checkpoint.Id);
            database.Run("DELETE FROM writes WHERE space_id = $1 AND checkpoint_id = $2", space, checkpoint.Id);
        }
        foreach (var (channel, version) in values)
        {
            database.Run("DELETE FROM channel_values WHERE space_id = $1 AND channel = $2 AND version = $3", space, channel, version);
        }
        return true;
    }
}
