using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Reads what commits told. Each method is one statement, and so of one snapshot, and finds its rows by primary keys: what a page costs depends neither on the length of
/// the thread nor on the number of threads.
/// </summary>
internal sealed class PostgresEventLog(PostgresAccess access) : IEventLog
{
    internal const string Page =
        """
        SELECT t.last_sequence, t.status, e.sequence, e.json FROM threads AS t
        LEFT JOIN LATERAL (SELECT sequence, json FROM events WHERE thread_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3) AS e ON true
        WHERE t.thread_id = $1 ORDER BY e.sequence
        """;

    internal const string Positions = "SELECT thread_id, last_sequence, status FROM threads WHERE thread_id = ANY ($1)";

    /// <summary>
    /// Rows of three kinds: the checkpoints, with the names of what they updated; the writes under their parents; the values that they name. The checkpoints come first. One
    /// statement rather than three in a batch: between those a thread may be pruned, and what a checkpoint changed would seem to be nothing. OFFSET 0 keeps the planner from
    /// joining the other way round, which it does where a young table has no statistics: it then reads the whole thread for each checkpoint.
    /// </summary>
    internal const string Changes =
        """
        WITH c AS MATERIALIZED (
            SELECT k.ns, k.id, c.parent, c.updated, c.versions FROM unnest($2, $3) AS k (ns, id) CROSS JOIN LATERAL (
                SELECT parent_checkpoint_id AS parent, NULLIF(checkpoint->'updated_channels', 'null') AS updated, checkpoint->'channel_versions' AS versions
                FROM checkpoints WHERE thread_id = $1 AND checkpoint_ns = k.ns AND checkpoint_id = k.id OFFSET 0) AS c)
        SELECT 0 AS kind, ns, id, coalesce(updated::text, '[]'), NULL::text COLLATE "C" AS task_id, NULL::integer AS idx, NULL::bytea FROM c
        UNION ALL
        SELECT 1, ns, id, w.* FROM c CROSS JOIN LATERAL (
            SELECT channel, task_id, idx, blob FROM checkpoint_writes
            WHERE thread_id = $1 AND checkpoint_ns = c.ns AND checkpoint_id = c.parent AND idx >= 0 AND c.updated ? channel OFFSET 0) AS w
        UNION ALL
        SELECT 2, ns, id, b.channel, b.version, NULL, b.blob FROM c CROSS JOIN LATERAL jsonb_array_elements_text(c.updated) AS u (name) CROSS JOIN LATERAL (
            SELECT channel, version, blob FROM checkpoint_blobs
            WHERE thread_id = $1 AND checkpoint_ns = c.ns AND channel = u.name AND version = c.versions->>u.name AND blob IS NOT NULL OFFSET 0) AS b
        ORDER BY kind, task_id, idx
        """;

    /// <summary>Someone waits for the answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Past patience only for a try that hangs: on a server that does not answer, or behind so many others that there is no connection.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(6);

    public async ValueTask<LogPage?> ReadAsync(string threadId, long after, int limit, CancellationToken cancellationToken) =>
        await RunAsync((connection, cancel) => ReadAsync(connection, threadId, after, limit, cancel), cancellationToken);

    public async ValueTask<ImmutableArray<LogPosition>> LookAsync(ImmutableArray<string> threadIds, CancellationToken cancellationToken) =>
        threadIds.IsEmpty ? [] : await RunAsync((connection, cancel) => LookAsync(connection, [.. threadIds.Distinct()], cancel), cancellationToken);

    public async ValueTask<ImmutableArray<StoredChange>> ReadChangesAsync(
        string threadId, ImmutableArray<CheckpointKey> checkpoints, CancellationToken cancellationToken) => checkpoints.IsEmpty ? [] : await RunAsync(
            (connection, cancel) => ReadChangesAsync(connection, threadId, [.. checkpoints.Distinct()], cancel), cancellationToken);

    private async Task<T> RunAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
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

    private static async Task<LogPage?> ReadAsync(NpgsqlConnection connection, string threadId, long after, int limit, CancellationToken cancellationToken)
    {
        await using var command = connection.With(Page, threadId, after, limit + 1L);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        if (!await row.ReadAsync(cancellationToken))
        {
            return null;
        }
        var position = new LogPosition(threadId, row.GetInt64(0), PostgresRows.ReadStatus(row.GetString(1)));
        var commits = ImmutableArray.CreateBuilder<StoredEvents>();
        for (var isThere = !row.IsDBNull(2); isThere; isThere = await row.ReadAsync(cancellationToken))
        {
            if (commits.Count == limit)
            {
                return new LogPage(commits.ToImmutable(), position, HasMore: true);
            }
            commits.Add(new StoredEvents(row.GetInt64(2), row.GetFieldValue<byte[]>(3)));
        }
        return new LogPage(commits.ToImmutable(), position, HasMore: false);
    }

    private static async Task<ImmutableArray<LogPosition>> LookAsync(NpgsqlConnection connection, string[] threadIds, CancellationToken cancellationToken)
    {
        await using var command = connection.With(Positions, (object)threadIds);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var found = ImmutableArray.CreateBuilder<LogPosition>(threadIds.Length);
        while (await row.ReadAsync(cancellationToken))
        {
            found.Add(new LogPosition(row.GetString(0), row.GetInt64(1), PostgresRows.ReadStatus(row.GetString(2))));
        }
        return found.ToImmutable();
    }

    private static async Task<ImmutableArray<StoredChange>> ReadChangesAsync(
        NpgsqlConnection connection, string threadId, CheckpointKey[] checkpoints, CancellationToken cancellationToken)
    {
        await using var command = connection.With(
            Changes, threadId, Array.ConvertAll(checkpoints, key => key.Namespace), Array.ConvertAll(checkpoints, key => key.Id));
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var changes = new Dictionary<CheckpointKey, Change>();
        while (await row.ReadAsync(cancellationToken))
        {
            var (key, name) = (new CheckpointKey(row.GetString(1), row.GetString(2)), row.GetString(3));
            switch (row.GetInt32(0))
            {
                case 0:
                    changes[key] = new Change([.. JsonElement.Parse(name).EnumerateArray().Select(channel => channel.GetString()!)]);
                    break;
                case 1:
                    changes[key].Writes.Add(new StoredWrite(row.GetString(4), row.GetInt32(5), name, row.GetFieldValue<byte[]>(6)));
                    break;
                default:
                    changes[key].Values[name] = new StoredValue(name, PostgresRows.ReadVersion(row.GetString(4)), row.GetFieldValue<byte[]>(6));
                    break;
            }
        }
        return [.. changes.Select(it => new StoredChange(it.Key, it.Value.Updated, [.. it.Value.Writes], [.. it.Value.Values.Values]))];
    }

    /// <summary>One checkpoint's rows.</summary>
    private sealed record Change(ImmutableArray<string> Updated)
    {
        public List<StoredWrite> Writes { get; } = [];

        /// <summary>By channel: a channel may be named twice.</summary>
        public Dictionary<string, StoredValue> Values { get; } = new(StringComparer.Ordinal);
    }
}
