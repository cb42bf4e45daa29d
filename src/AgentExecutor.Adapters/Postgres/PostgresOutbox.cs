using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Reads the outcomes that the commits of steps have stored as rows. A relay locks its rows while it publishes them, and the locks end with
/// its process. A bus in the same schema publishes in the same transaction.
/// </summary>
internal sealed class PostgresOutbox(PostgresAccess access) : IOutbox
{
    /// <summary>The trace context of the run is read only if the outcome was stored without one.</summary>
    private const string Columns = """
        o.thread_id, o.run_id, o.sequence, o.status, o.json,
        coalesce(
            o.trace_parent,
            (SELECT r.trace_parent FROM $schema.runs AS r WHERE r.thread_id = o.thread_id AND r.run_id = o.run_id),
            '') AS trace_parent,
        o.created_at, extract(epoch FROM now() - o.created_at)::double precision AS age, o.announced_at IS NOT NULL AS is_published
        """;

    private const string Unpublished = $"""
        SELECT {Columns}
        FROM $schema.outbox AS o
        WHERE o.announced_at IS NULL
        ORDER BY o.created_at LIMIT $1 FOR UPDATE OF o SKIP LOCKED
        """;

    private static readonly string MarkPublished = $"""
        UPDATE $schema.outbox AS o SET announced_at = now()
        FROM {PublishedRows.Table.As("p")}
        WHERE o.thread_id = p.thread_id AND o.sequence = p.sequence
        """;

    private static readonly string Find = $"""
        SELECT {Columns}
        FROM {RunKeyRows.Table.As("k")}
        CROSS JOIN LATERAL (
            SELECT * FROM $schema.outbox AS o
            WHERE o.thread_id = k.thread_id AND o.run_id = k.run_id
            ORDER BY o.sequence DESC LIMIT 1) AS o
        """;

    private static readonly string FindStatuses = $"""
        SELECT r.thread_id, r.run_id, coalesce(t.status, r.status) AS status,
            coalesce(o.sequence, 0) AS sequence, o.announced_at IS NOT NULL AS is_published
        FROM {RunKeyRows.Table.As("k")}
        JOIN $schema.runs AS r ON r.thread_id = k.thread_id AND r.run_id = k.run_id
        LEFT JOIN $schema.threads AS t ON t.thread_id = r.thread_id AND t.run_id = r.run_id
        LEFT JOIN LATERAL (
            SELECT sequence, announced_at FROM $schema.outbox AS o
            WHERE o.thread_id = r.thread_id AND o.run_id = r.run_id
            ORDER BY o.sequence DESC LIMIT 1) AS o ON true
        """;

    private const string Drop = """
        DELETE FROM $schema.outbox WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM $schema.outbox
            WHERE announced_at < now() - $1 * interval '1 second'
            ORDER BY announced_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        """;

    /// <summary>
    /// Limits the size of a batch. If outcomes are large, fewer are returned at once, and the others follow in the next batch.
    /// </summary>
    private const long MostBytes = 16 * 1024 * 1024;

    public async ValueTask<int> RelayAsync(
        int atMost,
        Func<ImmutableArray<Outcome>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    ) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var transaction = await connection.BeginTransactionAsync(cancel);
                var waiting = await ReadAsync(connection.With(Unpublished, (long)atMost), cancel);
                if (waiting.IsEmpty)
                {
                    return 0;
                }
                using (new PostgresTransactionScope(access.Source, connection))
                {
                    await publish(waiting, cancel);
                }
                await connection.RunAsync(MarkPublished, [.. PublishedRows.Table.Parameters(waiting)], CancellationToken.None);
                await transaction.CommitAsync(CancellationToken.None);
                return waiting.Length;
            },
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<int> RelayNoticesAsync(
        int atMost,
        Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    ) =>
        await access.RunAsync(
            (connection, cancel) => PostgresNotices.RelayAsync(access, connection, atMost, publish, cancel),
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken) =>
        await access.RunAsync(
            (connection, cancel) => ReadAsync(connection.With(Find, [.. RunKeyRows.Table.Parameters(runs)]), cancel),
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<ImmutableArray<RunOutcomeStatus>> FindStatusesAsync(
        ImmutableArray<RunKey> runs,
        CancellationToken cancellationToken
    ) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(FindStatuses, [.. RunKeyRows.Table.Parameters(runs)]);
                await using var row = await command.ExecuteReaderAsync(cancel);
                var statuses = ImmutableArray.CreateBuilder<RunOutcomeStatus>(runs.Length);
                while (await row.ReadAsync(cancel))
                {
                    statuses.Add(ReadStatus(row));
                }
                return statuses.ToImmutable();
            },
            cancellationToken,
            TimeSpan.Zero
        );

    public async ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken) =>
        await access.RunAsync(
            (connection, cancel) =>
                PostgresFaults.NamedAsync(
                    "published outcomes could not be deleted",
                    async () =>
                    {
                        await PostgresNotices.DropAsync(connection, olderThan, atMost, cancel);
                        return await connection.RunAsync(Drop, [olderThan.TotalSeconds, (long)atMost], cancel);
                    }
                ),
            cancellationToken,
            TimeSpan.Zero
        );

    private static async Task<ImmutableArray<Outcome>> ReadAsync(PostgresCommand query, CancellationToken cancellationToken)
    {
        await using var command = query;
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var outcomes = ImmutableArray.CreateBuilder<Outcome>();
        for (var bytes = 0L; bytes < MostBytes && await row.ReadAsync(cancellationToken); bytes += outcomes[^1].Json.Length)
        {
            outcomes.Add(ReadOutcome(row));
        }
        return outcomes.ToImmutable();
    }

    private static Outcome ReadOutcome(NpgsqlDataReader row) =>
        new(
            ReadKey(row),
            row.Number("sequence"),
            PostgresRows.ReadStatus(row.Text("status")),
            row.Bytes("json"),
            row.Text("trace_parent"),
            row.Time("created_at"),
            row.Seconds("age"),
            row.Flag("is_published")
        );

    private static RunOutcomeStatus ReadStatus(NpgsqlDataReader row) =>
        new(ReadKey(row), PostgresRows.ReadStatus(row.Text("status")), row.Number("sequence"), row.Flag("is_published"));

    private static RunKey ReadKey(NpgsqlDataReader row) => new(row.Text("thread_id"), row.Text("run_id"));
}
