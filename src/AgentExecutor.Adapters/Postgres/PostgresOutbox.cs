using System.Collections.Immutable;
using AgentExecutor.Core.Workers;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Outcomes as rows that the steps' commits wrote. A relay has them locked while it publishes; when it dies, so does its lock.</summary>
internal sealed class PostgresOutbox(PostgresAccess access) : IOutbox
{
    private const string Columns =
        "o.thread_id, o.run_id, o.sequence, o.status, o.json, coalesce(r.trace_parent, ''), o.created_at, extract(epoch FROM now() - o.created_at)::double precision, o.announced_at IS NOT NULL";

    /// <summary>Of large outcomes fewer are taken at once; the others wait for the next time.</summary>
    private const long MostBytes = 16 * 1024 * 1024;

    public async ValueTask<int> RelayAsync(int atMost, Func<ImmutableArray<Outcome>, CancellationToken, Task> announce, CancellationToken cancellationToken) => await access.RunAsync(
        async (connection, cancel) =>
        {
            await using var transaction = await connection.BeginTransactionAsync(cancel);
            var waiting = await ReadAsync(
                connection.With(
                    $"""
                    SELECT {Columns} FROM outbox AS o LEFT JOIN runs AS r USING (thread_id, run_id)
                    WHERE o.announced_at IS NULL ORDER BY o.created_at LIMIT $1 FOR UPDATE OF o SKIP LOCKED
                    """, (long)atMost), cancel);
            if (waiting.IsEmpty)
            {
                return 0;
            }
            await announce(waiting, cancel);
            await connection.RunAsync(
                "UPDATE outbox AS o SET announced_at = now() FROM unnest($1, $2) AS a (thread_id, sequence) WHERE o.thread_id = a.thread_id AND o.sequence = a.sequence",
                [waiting.Select(it => it.Run.ThreadId).ToArray(), waiting.Select(it => it.Sequence).ToArray()], CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
            return waiting.Length;
        },
        cancellationToken,
        TimeSpan.Zero);

    public async ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken) => await access.RunAsync(
        (connection, cancel) => ReadAsync(
            connection.With(
                $"""
                SELECT {Columns} FROM unnest($1, $2) AS k (thread_id, run_id)
                CROSS JOIN LATERAL (SELECT * FROM outbox AS o WHERE o.thread_id = k.thread_id AND o.run_id = k.run_id ORDER BY o.sequence DESC LIMIT 1) AS o
                LEFT JOIN runs AS r ON r.thread_id = k.thread_id AND r.run_id = k.run_id
                """, runs.Select(run => run.ThreadId).ToArray(), runs.Select(run => run.RunId).ToArray()), cancel),
        cancellationToken,
        TimeSpan.Zero);

    public async ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken) => await access.RunAsync(
        (connection, cancel) => connection.RunAsync(
            """
            DELETE FROM outbox WHERE ctid = ANY (ARRAY (
                SELECT ctid FROM outbox WHERE announced_at < now() - $1 * interval '1 second'
                ORDER BY announced_at LIMIT $2 FOR UPDATE SKIP LOCKED))
            """, [olderThan.TotalSeconds, (long)atMost], cancel),
        cancellationToken,
        TimeSpan.Zero);

    private static async Task<ImmutableArray<Outcome>> ReadAsync(NpgsqlCommand query, CancellationToken cancellationToken)
    {
        await using var command = query;
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var outcomes = ImmutableArray.CreateBuilder<Outcome>();
        for (var bytes = 0L; bytes < MostBytes && await row.ReadAsync(cancellationToken); bytes += outcomes[^1].Json.Length)
        {
            outcomes.Add(new Outcome(
                new RunKey(row.GetString(0), row.GetString(1)), row.GetInt64(2), PostgresRows.ReadStatus(row.GetString(3)), row.GetFieldValue<byte[]>(4),
                row.GetString(5), row.GetFieldValue<DateTime>(6), TimeSpan.FromSeconds(row.GetDouble(7)), row.GetBoolean(8)));
        }
        return outcomes.ToImmutable();
    }
}
