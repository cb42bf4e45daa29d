using AgentExecutor.Core.Queues;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Measures the backlog with the index of ready runs. Runs are counted one by one up to a bound, so that a long queue costs no more than a
/// short one. Above it, the estimate that the server keeps for the index is used, which VACUUM and ANALYZE update.
/// </summary>
internal static class PostgresBacklog
{
    /// <summary>The number of runs of each priority that are counted one by one.</summary>
    internal const long Counted = 2_000;

    private const string Measure = """
        WITH p AS (
            SELECT c.runs, c.oldest
            FROM generate_series(0, 9) AS p (priority)
            CROSS JOIN LATERAL (
                SELECT count(*) AS runs, min(due_at) AS oldest
                FROM (
                    SELECT due_at FROM $schema.queue
                    WHERE state = 'ready' AND priority = p.priority AND due_at <= now()
                    ORDER BY due_at LIMIT $1) AS q) AS c)
        SELECT
            CASE WHEN max(runs) < $1 THEN sum(runs)
                ELSE greatest(sum(runs), (SELECT reltuples FROM pg_class WHERE oid = to_regclass('$schema.queue_ready')))
                END::bigint AS ready,
            coalesce(extract(epoch FROM now() - min(oldest)), 0)::double precision AS oldest_ready,
            (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision
                FROM $schema.outbox WHERE announced_at IS NULL) AS oldest_outcome
        FROM p
        """;

    public static async Task<Backlog> MeasureAsync(PostgresConnection connection, CancellationToken cancellationToken)
    {
        await using var command = connection.With(Measure, Counted);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return new Backlog(row.Number("ready"), row.Seconds("oldest_ready"), row.Seconds("oldest_outcome"));
    }
}
