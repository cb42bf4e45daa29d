using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Copies and prunes whole threads.</summary>
internal static class PostgresThreads
{
    private const int Batch = 1_000;

    private const string OfBatch = "thread_id = $1 AND checkpoint_ns = $2 AND checkpoint_id = ANY ($3)";

    /// <summary>
    /// Looks up each value by its key. OFFSET 0 prevents the planner from reading all values of the thread for each of them.
    /// </summary>
    private static readonly string DeleteValues = $"""
        DELETE FROM $schema.checkpoint_blobs WHERE ctid = ANY (ARRAY (
            SELECT b.row_id
            FROM {ValueKeyRows.Table.As("g", first: 3)}
            CROSS JOIN LATERAL (
                SELECT ctid AS row_id FROM $schema.checkpoint_blobs
                WHERE thread_id = $1 AND checkpoint_ns = $2 AND channel = g.channel AND version = g.version OFFSET 0) AS b))
        """;

    public static async Task CopyAsync(
        PostgresConnection connection,
        string threadId,
        string checkpointId,
        string toThreadId,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // Prevents a deletion of the source thread from starting before the copy is complete. Its steps continue.
        await connection.RunAsync("SELECT FROM $schema.threads WHERE thread_id = $1 FOR KEY SHARE", [threadId], cancellationToken);
        await CheckCopyAsync(connection, threadId, checkpointId, toThreadId, cancellationToken);
        const string Chain = """
            WITH RECURSIVE chain (id) AS (
                SELECT $3::text COLLATE "C"
                UNION ALL
                SELECT parent_checkpoint_id FROM chain JOIN $schema.checkpoints ON checkpoint_id = chain.id
                WHERE thread_id = $2 AND checkpoint_ns = '' AND parent_checkpoint_id IS NOT NULL)
            """;
        object?[] values = [toThreadId, threadId, checkpointId];
        await connection.RunAsync(
            $"""
            {Chain} INSERT INTO $schema.checkpoints (thread_id, checkpoint_ns, {PostgresRows.CheckpointColumns})
            SELECT $1, '', {PostgresRows.CheckpointColumns} FROM $schema.checkpoints
            WHERE thread_id = $2 AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain)
            """,
            values,
            cancellationToken
        );
        await connection.RunAsync(
            $"""
            {Chain} INSERT INTO $schema.checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
            SELECT $1, '', checkpoint_id, task_id, idx, channel, type, blob FROM $schema.checkpoint_writes
            WHERE thread_id = $2 AND checkpoint_ns = '' AND checkpoint_id IN (SELECT id FROM chain) AND checkpoint_id <> $3
            """,
            values,
            cancellationToken
        );
        await connection.RunAsync(
            // Copies only the versions that the copied checkpoints refer to, because later versions of the source would conflict with those
            // of the copy.
            """
            INSERT INTO $schema.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
            SELECT $1, '', b.channel, b.version, b.type, b.blob FROM $schema.checkpoint_blobs AS b
            JOIN (
                SELECT DISTINCT v.key, v.value FROM $schema.checkpoints, jsonb_each_text(checkpoint->'channel_versions') AS v
                WHERE thread_id = $1 AND checkpoint_ns = '') AS v ON v.key = b.channel AND v.value = b.version
            WHERE b.thread_id = $2 AND b.checkpoint_ns = ''
            """,
            [toThreadId, threadId],
            cancellationToken
        );
        await transaction.CommitAsync(cancellationToken);
    }

    public static async Task<int> PruneAsync(PostgresConnection connection, string threadId, int keep, CancellationToken cancellationToken)
    {
        var spaces = new List<string>();
        await using (var command = connection.With("SELECT DISTINCT checkpoint_ns FROM $schema.checkpoints WHERE thread_id = $1", threadId))
        await using (var row = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await row.ReadAsync(cancellationToken))
            {
                spaces.Add(row.Text("checkpoint_ns"));
            }
        }
        var deleted = 0;
        foreach (var ns in spaces)
        {
            deleted += await PruneAsync(connection, threadId, ns, keep, cancellationToken);
        }
        return deleted;
    }

    private static async Task<int> PruneAsync(
        PostgresConnection connection,
        string threadId,
        string ns,
        int keep,
        CancellationToken cancellationToken
    )
    {
        var lineage = await ReadLineageAsync(connection, threadId, ns, cancellationToken);
        var needed = DeltaWalk.Needed(lineage.Newest(keep), lineage);
        var unneeded = lineage.Ids.Where(id => !needed.Contains(id)).ToList();
        var values = new ValuesToDelete(unneeded.Select(id => lineage.Find(id)!), needed.Select(id => lineage.Find(id)!));
        var done = 0;
        var size = Batch;
        while (done < unneeded.Count)
        {
            string[] batch = [.. unneeded.Skip(done).Take(size)];
            List<StoredCheckpoint> checkpoints = [.. batch.Select(id => lineage.Find(id)!)];
            try
            {
                await DeleteAsync(connection, threadId, ns, batch, values.After(checkpoints), cancellationToken);
                done += batch.Length;
            }
            catch (PostgresException exception) when (PostgresFaults.IsStatementTimeout(exception) && size > 1)
            {
                values.Undo(checkpoints);
                size /= 2;
            }
        }
        return unneeded.Count;
    }

    private static async Task DeleteAsync(
        PostgresConnection connection,
        string threadId,
        string ns,
        string[] checkpoints,
        IReadOnlyList<(string Channel, int Version)> values,
        CancellationToken cancellationToken
    )
    {
        List<ValueKey> keys = [.. values.Select(it => new ValueKey(it.Channel, it.Version))];
        await using var command = connection.Batch(
            PostgresCommands.BatchCommand($"DELETE FROM $schema.checkpoint_writes WHERE {OfBatch}", threadId, ns, checkpoints),
            PostgresCommands.BatchCommand($"DELETE FROM $schema.checkpoints WHERE {OfBatch}", threadId, ns, checkpoints),
            PostgresCommands.BatchCommand(DeleteValues, [threadId, ns, .. ValueKeyRows.Table.Parameters(keys)])
        );
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task CheckCopyAsync(
        PostgresConnection connection,
        string threadId,
        string checkpointId,
        string toThreadId,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(
            """
            SELECT
                EXISTS (SELECT 1 FROM $schema.checkpoints WHERE thread_id = $1)
                    OR EXISTS (SELECT 1 FROM $schema.threads WHERE thread_id = $1) AS is_taken,
                EXISTS (SELECT 1 FROM $schema.checkpoints WHERE thread_id = $2 AND checkpoint_ns = '' AND checkpoint_id = $3)
                    AND NOT EXISTS (SELECT 1 FROM $schema.threads WHERE thread_id = $2 AND deletion_started_at IS NOT NULL) AS is_there
            """,
            toThreadId,
            threadId,
            checkpointId
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        if (row.Flag("is_taken"))
        {
            throw new FaultException(FaultCodes.ThreadExists, $"the thread '{toThreadId}' already exists", "use another thread id");
        }
        if (!row.Flag("is_there"))
        {
            throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint '{checkpointId}'");
        }
    }

    private static async Task<Lineage> ReadLineageAsync(
        PostgresConnection connection,
        string threadId,
        string ns,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(
            $"""
            SELECT {PostgresRows.CheckpointColumns}
            FROM $schema.checkpoints
            WHERE thread_id = $1 AND checkpoint_ns = $2
            ORDER BY checkpoint_id DESC
            """,
            threadId,
            ns
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var lineage = new Lineage();
        while (await row.ReadAsync(cancellationToken))
        {
            lineage.Add(PostgresRows.ReadCheckpoint(row, threadId, ns));
        }
        return lineage;
    }

    /// <summary>The checkpoints of one namespace and their parents, newest first.</summary>
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

        public string? ParentOf(string checkpointId) =>
            _byId[checkpointId].ParentId is { } parent && _byId.ContainsKey(parent) ? parent : null;

        public StoredCheckpoint? Find(string checkpointId) => _byId.GetValueOrDefault(checkpointId);

        public IReadOnlyList<StoredWrite> WritesUnder(string checkpointId) => [];

        public ReadOnlyMemory<byte> ValueOf(string channel, int version) => default;
    }
}
