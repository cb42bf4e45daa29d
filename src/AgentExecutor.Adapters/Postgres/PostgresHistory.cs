using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>A part of the history of one namespace. It is read in a few range scans, however many steps it has.</summary>
internal sealed class PostgresHistory(PostgresConnection connection, string threadId, string ns) : ICheckpointHistory
{
    private const string Space = "thread_id = $1 AND checkpoint_ns = $2";

    private readonly Dictionary<string, string?> _parents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StoredCheckpoint> _checkpoints = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<StoredWrite>> _writes = new(StringComparer.Ordinal);
    private readonly Dictionary<ValueKey, ReadOnlyMemory<byte>> _values = [];

    public string? ParentOf(string checkpointId) =>
        _parents.GetValueOrDefault(checkpointId) is { } parent && _parents.ContainsKey(parent) ? parent : null;

    public StoredCheckpoint? Find(string checkpointId) => _checkpoints.GetValueOrDefault(checkpointId);

    public IReadOnlyList<StoredWrite> WritesUnder(string checkpointId) => _writes.TryGetValue(checkpointId, out var writes) ? writes : [];

    public ReadOnlyMemory<byte> ValueOf(string channel, int version) => _values.GetValueOrDefault(new ValueKey(channel, version));

    /// <summary>Reads one checkpoint, or the newest one if the id is null, with its values and pending writes.</summary>
    public async Task<StoredCheckpoint?> ReadAsync(string? checkpointId, CancellationToken cancellationToken)
    {
        // Each of the three statements scans a range of its index. Each looks up the id, which costs less than a round trip.
        var id = checkpointId is null ? $"(SELECT max(checkpoint_id) FROM $schema.checkpoints WHERE {Space})" : "$3";
        object?[] values = checkpointId is null ? [threadId, ns] : [threadId, ns, checkpointId];
        await using var batch = connection.Batch(
            PostgresCommands.BatchCommand(
                $"""
                SELECT {PostgresRows.CheckpointColumns} FROM $schema.checkpoints
                WHERE {Space} AND checkpoint_id = {id} AND {PostgresRows.IsNotBeingDeleted}
                """,
                values
            ),
            PostgresCommands.BatchCommand(
                $"""
                SELECT b.channel, b.version, b.blob
                FROM $schema.checkpoint_blobs AS b
                JOIN jsonb_each_text((
                    SELECT checkpoint->'channel_versions' FROM $schema.checkpoints
                    WHERE {Space} AND checkpoint_id = {id})) AS v ON v.key = b.channel AND v.value = b.version
                WHERE {Space} AND b.blob IS NOT NULL
                """,
                values
            ),
            PostgresCommands.BatchCommand(
                $"""
                SELECT checkpoint_id, task_id, idx, channel, blob FROM $schema.checkpoint_writes
                WHERE {Space} AND checkpoint_id = {id}
                ORDER BY task_id, idx
                """,
                values
            )
        );
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        StoredCheckpoint? checkpoint = null;
        if (await row.ReadAsync(cancellationToken))
        {
            checkpoint = PostgresRows.ReadCheckpoint(row, threadId, ns);
            _parents[checkpoint.Id] = checkpoint.ParentId;
        }
        await row.NextResultAsync(cancellationToken);
        await ReadValuesAsync(row, cancellationToken);
        await row.NextResultAsync(cancellationToken);
        await ReadWritesAsync(row, cancellationToken);
        return checkpoint;
    }

    /// <summary>Reads as much of the history as the checkpoint's delta channels need.</summary>
    public async Task ReadAncestorsAsync(StoredCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        var behind = checkpoint.Channels.Where(channel => channel.IsDelta && channel.Updates > 0).ToList();
        if (behind.Count == 0)
        {
            return;
        }
        var furthest = behind.Max(channel => channel.Supersteps);
        await ReadParentsAsync(checkpoint.Id, furthest, cancellationToken);
        var ancestors = Walk(checkpoint.Id, furthest).ToList();
        if (ancestors.Count == 0)
        {
            return;
        }
        var oldest = behind.Select(channel => ancestors[Math.Min(channel.Supersteps, ancestors.Count) - 1]).Distinct().ToArray();
        string[] names = [.. behind.Select(channel => channel.Name)];
        await using var batch = connection.Batch(
            PostgresCommands.BatchCommand(
                $"""
                SELECT checkpoint_id, task_id, idx, channel, blob FROM $schema.checkpoint_writes
                WHERE {Space} AND checkpoint_id >= $3 AND checkpoint_id < $4 AND channel = ANY ($5)
                ORDER BY checkpoint_id, task_id, idx
                """,
                threadId,
                ns,
                ancestors[^1],
                checkpoint.Id,
                names
            ),
            PostgresCommands.BatchCommand(
                $"SELECT {PostgresRows.CheckpointColumns} FROM $schema.checkpoints WHERE {Space} AND checkpoint_id = ANY ($3)",
                threadId,
                ns,
                oldest
            ),
            PostgresCommands.BatchCommand(
                $"""
                SELECT b.channel, b.version, b.blob
                FROM $schema.checkpoint_blobs AS b
                JOIN (
                    SELECT DISTINCT v.key, v.value
                    FROM $schema.checkpoints, jsonb_each_text(checkpoint->'channel_versions') AS v
                    WHERE {Space} AND checkpoint_id = ANY ($3) AND v.key = ANY ($4)) AS v ON v.key = b.channel AND v.value = b.version
                WHERE {Space} AND b.blob IS NOT NULL
                """,
                threadId,
                ns,
                oldest,
                names
            )
        );
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        await ReadWritesAsync(row, cancellationToken);
        await row.NextResultAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var found = PostgresRows.ReadCheckpoint(row, threadId, ns);
            _checkpoints[found.Id] = found;
        }
        await row.NextResultAsync(cancellationToken);
        await ReadValuesAsync(row, cancellationToken);
    }

    /// <summary>
    /// Reads the ids of ancestors. In a thread that has never branched they are the preceding checkpoints, which is a range of the index.
    /// Otherwise they are followed one by one.
    /// </summary>
    private async Task ReadParentsAsync(string from, int count, CancellationToken cancellationToken)
    {
        await ReadParentsAsync(
            $"""
            SELECT checkpoint_id, parent_checkpoint_id FROM $schema.checkpoints
            WHERE {Space} AND checkpoint_id < $3 ORDER BY checkpoint_id DESC LIMIT $4
            """,
            from,
            count,
            cancellationToken
        );
        var reached = Walk(from, count).ToList();
        if (reached.Count < count && (reached.Count == 0 ? _parents[from] : _parents[reached[^1]]) is not null)
        {
            await ReadParentsAsync(
                $"""
                WITH RECURSIVE chain AS (
                    SELECT checkpoint_id, parent_checkpoint_id, 0 AS steps
                    FROM $schema.checkpoints
                    WHERE {Space} AND checkpoint_id = $3
                    UNION ALL
                    SELECT c.checkpoint_id, c.parent_checkpoint_id, steps + 1
                    FROM chain JOIN $schema.checkpoints AS c ON c.checkpoint_id = chain.parent_checkpoint_id
                    WHERE {Space} AND steps < $4)
                SELECT checkpoint_id, parent_checkpoint_id FROM chain
                """,
                from,
                count,
                cancellationToken
            );
        }
    }

    private async Task ReadParentsAsync(string sql, string from, int count, CancellationToken cancellationToken)
    {
        await using var command = connection.With(sql, threadId, ns, from, count);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            _parents[row.Text("checkpoint_id")] = row.OptionalText("parent_checkpoint_id");
        }
    }

    private IEnumerable<string> Walk(string from, int count)
    {
        var id = from;
        for (var step = 0; step < count && ParentOf(id) is { } parent; step++)
        {
            yield return id = parent;
        }
    }

    private async Task ReadWritesAsync(NpgsqlDataReader row, CancellationToken cancellationToken)
    {
        while (await row.ReadAsync(cancellationToken))
        {
            var under = row.Text("checkpoint_id");
            if (!_writes.TryGetValue(under, out var writes))
            {
                _writes[under] = writes = [];
            }
            writes.Add(PostgresRows.ReadWrite(row));
        }
    }

    private async Task ReadValuesAsync(NpgsqlDataReader row, CancellationToken cancellationToken)
    {
        while (await row.ReadAsync(cancellationToken))
        {
            var value = PostgresRows.ReadValue(row);
            _values[new ValueKey(value.Channel, value.Version)] = value.Json;
        }
    }
}
