using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Copies, deletes and prunes whole threads. What deletes goes in batches, each a short transaction, so that nobody waits for it.</summary>
internal static class PostgresThreads
{
    private const int Batch = 1_000;
    private const string Waits =
        """
        (EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = $1 AND runs.status = 'pending' AND runs.is_queued)
            OR EXISTS (SELECT 1 FROM outbox WHERE outbox.thread_id = $1 AND announced_at IS NULL))
        """;

    public static async Task CopyAsync(NpgsqlConnection connection, string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await CheckCopyAsync(connection, threadId, checkpointId, toThreadId, cancellationToken);
        const string Chain =
            """
            WITH RECURSIVE chain (id) AS (
                SELECT $3::text COLLATE "C"
                UNION ALL
                SELECT parent_checkpoint_id FROM chain JOIN checkpoints ON checkpoint_id = chain.id
                WHERE thread_id = $2 AND checkpoint_ns = '' AND parent_checkpoint_id IS NOT NULL)
            """;
        object?[] values = [toThreadId, threadId, checkpointId];
        await connection.RunAsync(
            $"""
            {Chain} INSERT INTO checkpoints (thread_id, checkpoint_ns, {PostgresRows.CheckpointColumns})
            SELECT $1, '', {PostgresRows.CheckpointColumns} FROM checkpoints WHERE thread_id = $2 AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain)
            """, values, cancellationToken);
        await connection.RunAsync(
            $"""
            {Chain} INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
            SELECT $1, '', checkpoint_id, task_id, idx, channel, type, blob FROM checkpoint_writes
            WHERE thread_id = $2 AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain) AND checkpoint_id <> $3
            """, values, cancellationToken);
        await connection.RunAsync(
            // Only the versions that the copied checkpoints name: later ones of the origin would stand in the way of the copy's own.
            """
            INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
            SELECT $1, '', b.channel, b.version, b.type, b.blob FROM checkpoint_blobs AS b
            JOIN (
                SELECT DISTINCT v.key, v.value FROM checkpoints, jsonb_each_text(checkpoint->'channel_versions') AS v
                WHERE thread_id = $1 AND checkpoint_ns = '') AS v ON v.key = b.channel AND v.value = b.version
            WHERE b.thread_id = $2 AND b.checkpoint_ns = ''
            """, [toThreadId, threadId], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// Holds the thread like a worker while it is deleted, so that none takes it meanwhile. Its own row goes last: a deletion that breaks off is found again. A run that
    /// is submitted meanwhile stays, on an empty thread.
    /// </summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.ThreadBusy"/>: a worker has the thread, or a run waits for it.</exception>
    public static async Task DeleteAsync(NpgsqlConnection connection, string threadId, CancellationToken cancellationToken)
    {
        await using (var hold = connection.With(
            $"""
            WITH t AS (SELECT is_held AND lease_until > now() OR {Waits} AS is_busy FROM threads WHERE thread_id = $1 FOR UPDATE),
            u AS (
                UPDATE threads SET is_held = true, holder = 'deleted', fence = fence + 1, lease_until = now() + interval '5 minutes'
                WHERE thread_id = $1 AND (SELECT NOT is_busy FROM t))
            SELECT is_busy FROM t
            """, threadId))
        {
            if (await hold.ExecuteScalarAsync(cancellationToken) is true)
            {
                throw new FaultException(FaultCodes.ThreadBusy, $"the thread '{threadId}' is in use: a worker has it, or a run waits for it", "delete it when its runs have ended");
            }
        }
        foreach (var table in (string[])["checkpoint_writes", "checkpoint_blobs", "checkpoints", "events", "tool_calls", "outbox", "budget_reservations"])
        {
            var sql = $"DELETE FROM {table} WHERE ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE thread_id = $1 LIMIT {Batch}))";
            while (await connection.RunAsync(sql, [threadId], cancellationToken) == Batch)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        await DeleteRunsAsync(connection, threadId, cancellationToken);
    }

    /// <summary>With the thread's row locked first, whoever submits a run meanwhile did so before, and its run is seen to wait, or does so after, on a new thread.</summary>
    private static async Task DeleteRunsAsync(NpgsqlConnection connection, string threadId, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.RunAsync("SELECT FROM threads WHERE thread_id = $1 FOR UPDATE", [threadId], cancellationToken);
        await connection.RunAsync(
            "DELETE FROM runs WHERE thread_id = $1 AND NOT (status = 'pending' AND is_queued) AND EXISTS (SELECT 1 FROM threads WHERE thread_id = $1 AND holder = 'deleted')",
            [threadId], cancellationToken);
        await connection.RunAsync($"DELETE FROM threads WHERE thread_id = $1 AND holder = 'deleted' AND NOT {Waits}", [threadId], cancellationToken);
        await connection.RunAsync(
            "UPDATE threads SET is_held = false, lease_until = NULL, finished_at = NULL, status = 'pending' WHERE thread_id = $1 AND holder = 'deleted'",
            [threadId], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    public static async Task<int> PruneAsync(NpgsqlConnection connection, string threadId, int keep, CancellationToken cancellationToken)
    {
        var spaces = new List<string>();
        await using (var command = connection.With("SELECT DISTINCT checkpoint_ns FROM checkpoints WHERE thread_id = $1", threadId))
        await using (var row = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await row.ReadAsync(cancellationToken))
            {
                spaces.Add(row.GetString(0));
            }
        }
        var gone = 0;
        foreach (var ns in spaces)
        {
            gone += await PruneAsync(connection, threadId, ns, keep, cancellationToken);
        }
        return gone;
    }

    private static async Task<int> PruneAsync(NpgsqlConnection connection, string threadId, string ns, int keep, CancellationToken cancellationToken)
    {
        var lineage = await ReadLineageAsync(connection, threadId, ns, cancellationToken);
        var needed = DeltaWalk.Needed(lineage.Newest(keep), lineage);
        var gone = lineage.Ids.Where(id => !needed.Contains(id)).ToArray();
        foreach (var batch in gone.Chunk(Batch))
        {
            await connection.RunAsync(
                """
                WITH w AS (DELETE FROM checkpoint_writes WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = ANY ($3))
                DELETE FROM checkpoints WHERE thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = ANY ($3)
                """, [threadId, ns, batch], cancellationToken);
        }
        if (gone.Length > 0)
        {
            await connection.RunAsync(
                """
                DELETE FROM checkpoint_blobs AS b WHERE thread_id = $1 AND checkpoint_ns = $2 AND (channel, version) NOT IN (
                    SELECT v.key, v.value FROM checkpoints, jsonb_each_text(checkpoint->'channel_versions') AS v WHERE thread_id = $1 AND checkpoint_ns = $2)
                """, [threadId, ns], cancellationToken);
        }
        return gone.Length;
    }

    private static async Task CheckCopyAsync(NpgsqlConnection connection, string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken)
    {
        await using var command = connection.With(
            """
            SELECT EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = $1) OR EXISTS (SELECT 1 FROM threads WHERE thread_id = $1),
                EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = $2 AND checkpoint_ns = '' AND checkpoint_id = $3)
            """, toThreadId, threadId, checkpointId);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        if (row.GetBoolean(0))
        {
            throw new FaultException(FaultCodes.ThreadExists, $"there is a thread '{toThreadId}' already", "name another");
        }
        if (!row.GetBoolean(1))
        {
            throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint '{checkpointId}'");
        }
    }

    private static async Task<Lineage> ReadLineageAsync(NpgsqlConnection connection, string threadId, string ns, CancellationToken cancellationToken)
    {
        await using var command = connection.With(
            $"SELECT {PostgresRows.CheckpointColumns} FROM checkpoints WHERE thread_id = $1 AND checkpoint_ns = $2 ORDER BY checkpoint_id DESC", threadId, ns);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var lineage = new Lineage();
        while (await row.ReadAsync(cancellationToken))
        {
            lineage.Add(PostgresRows.ReadCheckpoint(row, threadId, ns));
        }
        return lineage;
    }

    /// <summary>Who descends from whom in one namespace, newest first.</summary>
    private sealed class Lineage : ICheckpointHistory
    {
        private readonly Dictionary<string, StoredCheckpoint> _byId = new(StringComparer.Ordinal);

        public List<string> Ids { get; } = [];

        public void Add(StoredCheckpoint checkpoint)
        {
            Ids.Add(checkpoint.Id);
            _byId.Add(checkpoint.Id, checkpoint);
        }

        public IEnumerable<StoredCheckpoint> Newest(int count) => Ids.Take(count).Select(id => _byId[id]);

        public string? ParentOf(string checkpointId) => _byId[checkpointId].ParentId is { } parent && _byId.ContainsKey(parent) ? parent : null;

        public StoredCheckpoint? Find(string checkpointId) => _byId.GetValueOrDefault(checkpointId);

        public IReadOnlyList<StoredWrite> WritesUnder(string checkpointId) => [];

        public ReadOnlyMemory<byte> ValueOf(string channel, int version) => default;
    }
}
