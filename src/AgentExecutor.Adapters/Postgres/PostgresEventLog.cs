using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Reads the logged events of commits. Each method is one statement, so it reads one snapshot, and finds its rows by primary keys: the cost
/// of a page depends neither on the length of the thread nor on the number of threads.
/// </summary>
internal sealed class PostgresEventLog(PostgresAccess access) : IEventLog
{
    internal const string Page = """
        SELECT t.last_sequence, t.status, e.sequence, e.json
        FROM $schema.threads AS t
        LEFT JOIN LATERAL (
            SELECT sequence, json FROM $schema.events
            WHERE thread_id = $1 AND sequence > $2
            ORDER BY sequence LIMIT $3) AS e ON true
        WHERE t.thread_id = $1 AND t.deletion_started_at IS NULL
        ORDER BY e.sequence
        """;

    internal const string Positions = """
        SELECT thread_id, last_sequence, status FROM $schema.threads
        WHERE thread_id = ANY ($1) AND deletion_started_at IS NULL
        """;

    /// <summary>
    /// Returns rows of three kinds, starting with the checkpoints: the checkpoints with the names of the channels that they updated, the
    /// writes under their parents, and the values that they refer to. This is one statement instead of a batch of three, because a thread
    /// may be pruned between statements, and a checkpoint would then seem to have changed nothing. OFFSET 0 prevents the planner from
    /// joining in the other order, which it does for a new table without statistics, and which would read the whole thread for each
    /// checkpoint.
    /// </summary>
    internal static readonly string Changes = $"""
        WITH c AS MATERIALIZED (
            SELECT k.ns, k.id, c.parent, c.updated, c.versions
            FROM {CheckpointKeyRows.Table.As("k", first: 2)}
            CROSS JOIN LATERAL (
                SELECT parent_checkpoint_id AS parent, NULLIF(checkpoint->'updated_channels', 'null') AS updated,
                    checkpoint->'channel_versions' AS versions
                FROM $schema.checkpoints
                WHERE thread_id = $1 AND checkpoint_ns = k.ns AND checkpoint_id = k.id OFFSET 0) AS c)
        SELECT {(int)ChangeKind.Checkpoint} AS kind, ns, id, coalesce(updated::text, '[]') AS updated,
            NULL::text COLLATE "C" AS channel, NULL::text COLLATE "C" AS task_id, NULL::integer AS idx,
            NULL::text COLLATE "C" AS version, NULL::bytea AS blob
        FROM c
        UNION ALL
        SELECT {(int)ChangeKind.Write}, ns, id, NULL, w.channel, w.task_id, w.idx, NULL, w.blob
        FROM c
        CROSS JOIN LATERAL (
            SELECT channel, task_id, idx, blob FROM $schema.checkpoint_writes
            WHERE thread_id = $1 AND checkpoint_ns = c.ns AND checkpoint_id = c.parent AND idx >= 0 AND c.updated ? channel OFFSET 0) AS w
        UNION ALL
        SELECT {(int)ChangeKind.Value}, ns, id, NULL, b.channel, NULL, NULL, b.version, b.blob
        FROM c
        CROSS JOIN LATERAL jsonb_array_elements_text(c.updated) AS u (name)
        CROSS JOIN LATERAL (
            SELECT channel, version, blob FROM $schema.checkpoint_blobs
            WHERE thread_id = $1 AND checkpoint_ns = c.ns AND channel = u.name AND version = c.versions->>u.name
                AND blob IS NOT NULL OFFSET 0) AS b
        ORDER BY kind, task_id, version, idx
        """;

    /// <summary>How long to retry while a caller waits for the answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The limit for a single attempt that hangs because the server does not answer or no connection is free. It exceeds <see
    /// cref="Patience"/>.
    /// </summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(6);

    public async ValueTask<LogPage?> ReadAsync(string threadId, long after, int limit, CancellationToken cancellationToken) =>
        await RunAsync((connection, cancel) => ReadAsync(connection, threadId, after, limit, cancel), cancellationToken);

    public async ValueTask<ImmutableArray<LogPosition>> ReadPositionsAsync(
        ImmutableArray<string> threadIds,
        CancellationToken cancellationToken
    ) =>
        threadIds.IsEmpty
            ? []
            : await RunAsync((connection, cancel) => ReadPositionsAsync(connection, [.. threadIds.Distinct()], cancel), cancellationToken);

    public async ValueTask<ImmutableArray<StoredChange>> ReadChangesAsync(
        string threadId,
        ImmutableArray<CheckpointKey> checkpoints,
        CancellationToken cancellationToken
    ) =>
        checkpoints.IsEmpty
            ? []
            : await RunAsync(
                (connection, cancel) => ReadChangesAsync(connection, threadId, [.. checkpoints.Distinct()], cancel),
                cancellationToken
            );

    private async Task<T> RunAsync<T>(Func<PostgresConnection, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Longest, access.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await access.RunAsync(read, either.Token, Patience);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw PostgresFaults.Unavailable(new TimeoutException($"no answer within {Longest.TotalSeconds} s", exception));
        }
    }

    private static async Task<LogPage?> ReadAsync(
        PostgresConnection connection,
        string threadId,
        long after,
        int limit,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(Page, threadId, after, limit + 1L);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        if (!await row.ReadAsync(cancellationToken))
        {
            return null;
        }
        var position = ReadPosition(row, threadId);
        var commits = ImmutableArray.CreateBuilder<StoredEvents>();
        for (var isThere = !row.IsNull("sequence"); isThere; isThere = await row.ReadAsync(cancellationToken))
        {
            if (commits.Count == limit)
            {
                return new LogPage(commits.ToImmutable(), position, HasMore: true);
            }
            commits.Add(new StoredEvents(row.Number("sequence"), row.Bytes("json")));
        }
        return new LogPage(commits.ToImmutable(), position, HasMore: false);
    }

    private static async Task<ImmutableArray<LogPosition>> ReadPositionsAsync(
        PostgresConnection connection,
        string[] threadIds,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(Positions, (object)threadIds);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var found = ImmutableArray.CreateBuilder<LogPosition>(threadIds.Length);
        while (await row.ReadAsync(cancellationToken))
        {
            found.Add(ReadPosition(row, row.Text("thread_id")));
        }
        return found.ToImmutable();
    }

    private static async Task<ImmutableArray<StoredChange>> ReadChangesAsync(
        PostgresConnection connection,
        string threadId,
        CheckpointKey[] checkpoints,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(Changes, [threadId, .. CheckpointKeyRows.Table.Parameters(checkpoints)]);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var changes = new Dictionary<CheckpointKey, Change>();
        while (await row.ReadAsync(cancellationToken))
        {
            var key = new CheckpointKey(row.Text("ns"), row.Text("id"));
            switch ((ChangeKind)row.Integer("kind"))
            {
                case ChangeKind.Checkpoint:
                    changes[key] = ReadChange(row);
                    break;
                case ChangeKind.Write:
                    changes[key].Writes.Add(PostgresRows.ReadWrite(row));
                    break;
                default:
                    var value = PostgresRows.ReadValue(row);
                    changes[key].Values[value.Channel] = value;
                    break;
            }
        }
        return [.. changes.Select(it => new StoredChange(it.Key, it.Value.Updated, [.. it.Value.Writes], [.. it.Value.Values.Values]))];
    }

    private static LogPosition ReadPosition(NpgsqlDataReader row, string threadId) =>
        new(threadId, row.Number("last_sequence"), PostgresRows.ReadStatus(row.Text("status")));

    private static Change ReadChange(NpgsqlDataReader row) =>
        new([.. StoredJson.Parse(row.Text("updated")).EnumerateArray().Select(channel => channel.GetString()!)]);

    /// <summary>The kinds of rows of <see cref="Changes"/>, in their order.</summary>
    private enum ChangeKind
    {
        Checkpoint,
        Write,
        Value,
    }

    /// <summary>The rows of one checkpoint.</summary>
    private sealed record Change(ImmutableArray<string> Updated)
    {
        public List<StoredWrite> Writes { get; } = [];

        /// <summary>The values by channel, because a channel may be listed twice.</summary>
        public Dictionary<string, StoredValue> Values { get; } = new(StringComparer.Ordinal);
    }
}
