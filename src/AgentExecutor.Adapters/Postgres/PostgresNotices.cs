using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Publishes the messages that leave with steps, in the same way as <see cref="PostgresOutbox"/> publishes outcomes.</summary>
internal static class PostgresNotices
{
    private const string Unpublished = """
        SELECT thread_id, run_id, notice_id, type, subject, json, trace_parent, created_at,
            extract(epoch FROM now() - created_at)::double precision AS age
        FROM $schema.notices
        WHERE announced_at IS NULL
        ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED
        """;

    private static readonly string MarkPublished = $"""
        UPDATE $schema.notices AS n SET announced_at = now()
        FROM {PublishedNoticeRows.Table.As("p")}
        WHERE n.thread_id = p.thread_id AND n.notice_id = p.notice_id
        """;

    private const string Drop = """
        DELETE FROM $schema.notices WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM $schema.notices
            WHERE announced_at < now() - $1 * interval '1 second'
            ORDER BY announced_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        """;

    public static async Task<int> RelayAsync(
        PostgresAccess access,
        PostgresConnection connection,
        int atMost,
        Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var waiting = await ReadAsync(connection.With(Unpublished, (long)atMost), cancellationToken);
        if (waiting.IsEmpty)
        {
            return 0;
        }
        using (new PostgresTransactionScope(access.Source, connection))
        {
            await publish(waiting, cancellationToken);
        }
        await connection.RunAsync(MarkPublished, [.. PublishedNoticeRows.Table.Parameters(waiting)], CancellationToken.None);
        await transaction.CommitAsync(CancellationToken.None);
        return waiting.Length;
    }

    public static Task<int> DropAsync(PostgresConnection connection, TimeSpan olderThan, int atMost, CancellationToken cancellationToken) =>
        connection.RunAsync(Drop, [olderThan.TotalSeconds, (long)atMost], cancellationToken);

    private static async Task<ImmutableArray<Notice>> ReadAsync(PostgresCommand query, CancellationToken cancellationToken)
    {
        await using var command = query;
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var notices = ImmutableArray.CreateBuilder<Notice>();
        while (await row.ReadAsync(cancellationToken))
        {
            notices.Add(Read(row));
        }
        return notices.ToImmutable();
    }

    private static Notice Read(NpgsqlDataReader row) =>
        new(
            new RunKey(row.Text("thread_id"), row.Text("run_id")),
            row.Text("notice_id"),
            row.Text("type"),
            row.Text("subject"),
            row.Bytes("json"),
            row.Text("trace_parent"),
            row.Time("created_at"),
            row.Seconds("age")
        );
}
