using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Sessions.Transitions;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Ends expired leases, using only the clock of the server. If a lease ends later than any lease can, the clock was set back since it was
/// renewed: the lease is then shortened to the caller's length, which leaves its holder enough time to renew it.
/// </summary>
internal static class PostgresRescue
{
    // $1: the length of a lease in milliseconds, $2: by how much to increase the last sequence number,
    // $3 and $4: the range of server times in which an expired lease means a lost worker.
    private static readonly string Sql = $"""
        WITH cut AS (
            UPDATE $schema.threads AS t SET lease_until = now() + $1 * interval '1 millisecond'
            FROM (
                SELECT thread_id FROM $schema.threads
                WHERE is_held AND lease_until > now() + $1 * interval '10 milliseconds' + interval '10 minutes'
                FOR UPDATE SKIP LOCKED) AS far
            WHERE t.thread_id = far.thread_id),
        expired AS (
            SELECT thread_id, run_id, crashes, cancel_requested
            FROM $schema.threads AS t
            WHERE is_held AND status = 'running' AND lease_until <= now() AND now() BETWEEN $3 AND $4
                AND NOT pg_postmaster_start_time() BETWEEN now() - $1 * interval '1 millisecond' AND now()
                AND NOT EXISTS (
                    SELECT FROM {HeldRunRows.Table.As("h", first: 5)}
                    WHERE h.thread_id = t.thread_id AND h.fence = t.fence)
            LIMIT 1000 FOR UPDATE SKIP LOCKED),
        rescued AS (
            UPDATE $schema.threads AS t SET
                fence = t.fence + 1, is_held = false, lease_until = NULL, crashes = t.crashes + 1, status = 'pending',
                last_sequence = t.last_sequence + $2
            FROM expired AS e
            WHERE t.thread_id = e.thread_id AND NOT e.cancel_requested
            RETURNING t.thread_id, t.run_id, t.crashes, t.is_queued),
        r AS (
            UPDATE $schema.runs SET status = 'pending'
            FROM rescued AS t
            WHERE runs.thread_id = t.thread_id AND runs.run_id = t.run_id AND runs.status = 'running')
        SELECT now() AS server_time, thread_id, run_id, crashes, is_queued, is_to_cancel,
            CASE WHEN is_queued THEN pg_notify('$schema_runs', '')::text END AS notified
        FROM (SELECT) AS one
        LEFT JOIN (
            SELECT *, false AS is_to_cancel FROM rescued
            UNION ALL
            SELECT thread_id, run_id, crashes, false, true FROM expired WHERE cancel_requested) AS found ON true
        """;

    public static async Task<ImmutableArray<RescuedRun>> RunAsync(
        PostgresConnection connection,
        ImmutableArray<HeldRun> held,
        TimeSpan afterStart,
        ServerClock clock,
        CancellationToken cancellationToken
    )
    {
        var (from, upTo) = clock.Window(afterStart);
        await using var command = connection.With(
            Sql,
            [
                afterStart.TotalMilliseconds,
                Start.SequenceGap,
                DateTime.SpecifyKind(from, DateTimeKind.Utc),
                DateTime.SpecifyKind(upTo, DateTimeKind.Utc),
                .. HeldRunRows.Table.Parameters(held),
            ]
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var rescued = ImmutableArray.CreateBuilder<RescuedRun>();
        while (await row.ReadAsync(cancellationToken))
        {
            clock.Record(row.Time("server_time"), upTo, afterStart);
            if (!row.IsNull("thread_id"))
            {
                rescued.Add(Read(row));
            }
        }
        return rescued.ToImmutable();
    }

    private static RescuedRun Read(NpgsqlDataReader row) =>
        new(row.Text("thread_id"), row.Text("run_id"), row.Integer("crashes"), row.Flag("is_queued"))
        {
            IsToCancel = row.Flag("is_to_cancel"),
        };
}
