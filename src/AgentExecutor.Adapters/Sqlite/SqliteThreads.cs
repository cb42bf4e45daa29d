using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Copies and deletes whole threads, within an open transaction.</summary>
internal static class SqliteThreads
{
    public static void Copy(SqliteStatements database, string threadId, string checkpointId, string toThreadId)
    {
        if (
            database.Scalar("SELECT 1 FROM spaces WHERE thread_id = $1 UNION SELECT 1 FROM runs WHERE thread_id = $1", toThreadId)
            is not null
        )
        {
            throw new FaultException(FaultCodes.ThreadExists, $"the thread '{toThreadId}' already exists", "use another thread id");
        }
        if (
            SqliteCommit.FindSpace(database, threadId, "") is not { } from
            || database.Scalar("SELECT 1 FROM checkpoints WHERE space_id = $1 AND checkpoint_id = $2", from, checkpointId) is null
        )
        {
            throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint '{checkpointId}'");
        }
        var to = SqliteCommit.SpaceOf(database, toThreadId, "");
        const string Chain = """
            WITH RECURSIVE chain (id) AS (
                VALUES ($3)
                UNION ALL
                SELECT parent_id
                FROM checkpoints JOIN chain ON checkpoint_id = chain.id
                WHERE space_id = $2 AND parent_id IS NOT NULL)
            """;
        database.Run(
            $"""
            {Chain} INSERT INTO checkpoints (space_id, {SqliteRows.CheckpointColumns})
            SELECT $1, {SqliteRows.CheckpointColumns}
            FROM checkpoints
            WHERE space_id = $2 AND checkpoint_id IN (SELECT id FROM chain)
            """,
            to,
            from,
            checkpointId
        );
        database.Run(
            $"""
            {Chain} INSERT INTO writes (space_id, checkpoint_id, task_id, idx, channel, json)
            SELECT $1, checkpoint_id, task_id, idx, channel, json
            FROM writes
            WHERE space_id = $2 AND checkpoint_id IN (SELECT id FROM chain) AND checkpoint_id <> $3
            """,
            to,
            from,
            checkpointId
        );
        CopyValues(database, from, to, toThreadId);
    }

    /// <summary>
    /// Copies only the versions that the copied checkpoints refer to, because later versions of the source would conflict with those of the
    /// copy.
    /// </summary>
    private static void CopyValues(SqliteStatements database, long from, long to, string toThreadId)
    {
        var referenced = Checkpoints(database, to, toThreadId, "")
            .SelectMany(checkpoint => checkpoint.Channels)
            .Select(channel => (channel.Name, channel.Version));
        foreach (var (channel, version) in referenced.Distinct())
        {
            database.Run(
                """
                INSERT INTO channel_values (space_id, channel, version, json)
                SELECT $1, channel, version, json
                FROM channel_values
                WHERE space_id = $2 AND channel = $3 AND version = $4
                """,
                to,
                from,
                channel,
                version
            );
        }
    }

    /// <summary>Returns the checkpoints of a namespace, newest first.</summary>
    public static List<StoredCheckpoint> Checkpoints(SqliteStatements database, long space, string threadId, string ns)
    {
        var all = new List<StoredCheckpoint>();
        using var row = database.Query(
            $"SELECT {SqliteRows.CheckpointColumns} FROM checkpoints WHERE space_id = $1 ORDER BY checkpoint_id DESC",
            space
        );
        while (row.Read())
        {
            all.Add(SqliteRows.ReadCheckpoint(row, threadId, ns));
        }
        return all;
    }

    /// <summary>
    /// Returns the fencing token after which the next one of the thread follows: that of its newest run or, for a new thread, the highest
    /// of all deleted threads.
    /// </summary>
    public static long FindFence(SqliteStatements database, string threadId) =>
        (long)
            database.Scalar(
                "SELECT coalesce((SELECT max(fence) FROM runs WHERE thread_id = $1), (SELECT fence FROM deleted_fences))",
                threadId
            )!;

    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.ThreadBusy"/>: a worker holds the thread, a run waits for it, or an outcome has not been published.
    /// </exception>
    public static void Delete(SqliteStatements database, string threadId, long now)
    {
        if (
            database.Scalar(
                """
                SELECT 1 FROM runs WHERE thread_id = $1 AND is_held AND (job IS NOT NULL OR lease_until > $2)
                UNION ALL SELECT 1 FROM runs WHERE thread_id = $1 AND status = 'pending' AND job IS NOT NULL
                UNION ALL SELECT 1 FROM outbox WHERE thread_id = $1 AND announced_at IS NULL
                """,
                threadId,
                now
            )
            is not null
        )
        {
            throw new FaultException(
                FaultCodes.ThreadBusy,
                $"the thread '{threadId}' is in use: a worker holds it, a run waits for it, or an outcome of it has not been published",
                "delete the thread after its runs have ended"
            );
        }
        database.Run(
            """
            UPDATE deleted_fences SET fence = d.fence
            FROM (SELECT max(fence) + 1 AS fence FROM runs WHERE thread_id = $1) AS d
            WHERE deleted_fences.fence < d.fence
            """,
            threadId
        );
        foreach (var table in (string[])["checkpoints", "channel_values", "writes"])
        {
            database.Run($"DELETE FROM {table} WHERE space_id IN (SELECT id FROM spaces WHERE thread_id = $1)", threadId);
        }
        database.Run("DELETE FROM spaces WHERE thread_id = $1", threadId);
        database.Run("DELETE FROM jobs WHERE id IN (SELECT job FROM runs WHERE thread_id = $1)", threadId);
        foreach (var table in (string[])["runs", "events", "tool_calls", "outbox", "interrupts", "notices", "budget_reservations"])
        {
            database.Run($"DELETE FROM {table} WHERE thread_id = $1", threadId);
        }
    }
}
