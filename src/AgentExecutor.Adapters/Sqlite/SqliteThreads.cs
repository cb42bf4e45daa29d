using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Copies, deletes and prunes whole threads, within an open transaction.</summary>
internal static class SqliteThreads
{
    public static void Copy(SqliteStatements database, string threadId, string checkpointId, string toThreadId)
    {
        if (database.Scalar("SELECT 1 FROM spaces WHERE thread_id = $1 UNION SELECT 1 FROM runs WHERE thread_id = $1", toThreadId) is not null)
        {
            throw new FaultException(FaultCodes.ThreadExists, $"there is a thread '{toThreadId}' already", "name another");
        }
        if (SqliteCommit.FindSpace(database, threadId, "") is not { } from
            || database.Scalar("SELECT 1 FROM checkpoints WHERE space_id = $1 AND checkpoint_id = $2", from, checkpointId) is null)
        {
            throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint '{checkpointId}'");
        }
        var to = SqliteCommit.SpaceOf(database, toThreadId, "");
        const string Chain =
            """
            WITH RECURSIVE chain (id) AS (
                VALUES ($3)
                UNION ALL
                SELECT parent_id FROM checkpoints JOIN chain ON checkpoint_id = chain.id WHERE space_id = $2 AND parent_id IS NOT NULL)
            """;
        database.Run(
            $"""
            {Chain} INSERT INTO checkpoints (space_id, {SqliteRows.CheckpointColumns})
            SELECT $1, {SqliteRows.CheckpointColumns} FROM checkpoints WHERE space_id = $2 AND checkpoint_id IN (SELECT id FROM chain)
            """, to, from, checkpointId);
        database.Run(
            $"""
            {Chain} INSERT INTO writes (space_id, checkpoint_id, task_id, idx, channel, json)
            SELECT $1, checkpoint_id, task_id, idx, channel, json FROM writes
            WHERE space_id = $2 AND checkpoint_id IN (SELECT id FROM chain) AND checkpoint_id <> $3
            """, to, from, checkpointId);
        CopyValues(database, from, to, toThreadId);
    }

    /// <summary>Only the versions that the copied checkpoints name: later ones of the origin would stand in the way of the copy's own.</summary>
    private static void CopyValues(SqliteStatements database, long from, long to, string toThreadId)
    {
        var named = Checkpoints(database, to, toThreadId, "").SelectMany(checkpoint => checkpoint.Channels).Select(channel => (channel.Name, channel.Version));
        foreach (var (channel, version) in named.Distinct())
        {
            database.Run(
                """
                INSERT INTO channel_values (space_id, channel, version, json)
                SELECT $1, channel, version, json FROM channel_values WHERE space_id = $2 AND channel = $3 AND version = $4
                """, to, from, channel, version);
        }
    }

    private static List<StoredCheckpoint> Checkpoints(SqliteStatements database, long space, string threadId, string ns)
    {
        var all = new List<StoredCheckpoint>();
        using var row = database.Query($"SELECT {SqliteRows.CheckpointColumns} FROM checkpoints WHERE space_id = $1 ORDER BY checkpoint_id DESC", space);
        while (row.Read())
        {
            all.Add(SqliteRows.ReadCheckpoint(row, threadId, ns));
        }
        return all;
    }

    /// <exception cref="FaultException"><see cref="FaultCodes.ThreadBusy"/>: a worker has the thread, a run waits for it, or an outcome was not announced.</exception>
    public static void Delete(SqliteStatements database, string threadId, long now)
    {
        if (database.Scalar(
            """
            SELECT 1 FROM runs WHERE thread_id = $1 AND is_held AND lease_until > $2
            UNION ALL SELECT 1 FROM runs WHERE thread_id = $1 AND status = 'pending' AND job IS NOT NULL
            UNION ALL SELECT 1 FROM outbox WHERE thread_id = $1 AND announced_at IS NULL
            """, threadId, now) is not null)
        {
            throw new FaultException(FaultCodes.ThreadBusy, $"the thread '{threadId}' is in use: a worker has it, or a run waits for it", "delete it when its runs have ended");
        }
        foreach (var table in (string[])["checkpoints", "channel_values", "writes"])
        {
            database.Run($"DELETE FROM {table} WHERE space_id IN (SELECT id FROM spaces WHERE thread_id = $1)", threadId);
        }
        database.Run("DELETE FROM spaces WHERE thread_id = $1", threadId);
        database.Run("DELETE FROM jobs WHERE id IN (SELECT job FROM runs WHERE thread_id = $1)", threadId);
        foreach (var table in (string[])["runs", "events", "tool_calls", "outbox", "budget_reservations"])
        {
            database.Run($"DELETE FROM {table} WHERE thread_id = $1", threadId);
        }
    }

    public static int Prune(SqliteStatements database, string threadId, int keep)
    {
        var spaces = new List<(long Id, string Namespace)>();
        using (var row = database.Query("SELECT id, ns FROM spaces WHERE thread_id = $1", threadId))
        {
            while (row.Read())
            {
                spaces.Add((row.GetInt64(0), row.GetString(1)));
            }
        }
        return spaces.Sum(space => Prune(database, space.Id, threadId, space.Namespace, keep));
    }

    private static int Prune(SqliteStatements database, long space, string threadId, string ns, int keep)
    {
        var all = Checkpoints(database, space, threadId, ns);
        if (all.Count <= keep)
        {
            return 0;
        }
        HashSet<string> needed;
        using (var history = new SqliteHistory(database, space, threadId, ns, all[0].Id))
        {
            needed = DeltaWalk.Needed(all.Take(keep), history);
        }
        var gone = all.Where(checkpoint => !needed.Contains(checkpoint.Id)).ToList();
        foreach (var checkpoint in gone)
        {
            database.Run("DELETE FROM checkpoints WHERE space_id = $1 AND checkpoint_id = $2", space, checkpoint.Id);
            database.Run("DELETE FROM writes WHERE space_id = $1 AND checkpoint_id = $2", space, checkpoint.Id);
        }
        var named = all.Except(gone).SelectMany(checkpoint => checkpoint.Channels).Select(channel => (channel.Name, channel.Version)).ToHashSet();
        foreach (var (channel, version) in gone.SelectMany(checkpoint => checkpoint.Channels).Select(channel => (channel.Name, channel.Version)).Where(value => !named.Contains(value)).Distinct())
        {
            database.Run("DELETE FROM channel_values WHERE space_id = $1 AND channel = $2 AND version = $3", space, channel, version);
        }
        return gone.Count;
    }
}
