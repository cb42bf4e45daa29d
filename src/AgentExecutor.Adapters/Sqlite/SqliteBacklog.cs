using AgentExecutor.Core.Queues;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Measures the backlog with the indexes of ready runs and of unpublished outcomes.</summary>
internal static class SqliteBacklog
{
    public static async ValueTask<Backlog> MeasureAsync(SqliteAccess access, CancellationToken cancellationToken)
    {
        await ConsiderAsync(access, cancellationToken);
        return access.Read(database =>
        {
            var now = access.Now;
            using var row = database.Query(
                """
                SELECT count(*) AS ready, min(due_at) AS oldest_ready,
                    (SELECT min(created_at) FROM outbox WHERE announced_at IS NULL) AS oldest_outcome
                FROM queue INDEXED BY queue_ready
                WHERE state = 'ready' AND due_at <= $1
                """,
                now
            );
            row.Read();
            return new Backlog(row.Number("ready"), AgeOf(row.OptionalNumber("oldest_ready")), AgeOf(row.OptionalNumber("oldest_outcome")));

            TimeSpan AgeOf(long? time) => TimeSpan.FromMilliseconds(now - (time ?? now));
        });
    }

    /// <summary>
    /// Considers the runs that have become due, because only then it is known whether a run with a concurrency key is ready. Claims do the
    /// same, but there may be no workers.
    /// </summary>
    private static async ValueTask ConsiderAsync(SqliteAccess access, CancellationToken cancellationToken)
    {
        var isAll = access.Read(database =>
            database.Scalar("SELECT 1 FROM queue WHERE state = 'new' AND due_at <= $1 LIMIT 1", access.Now) is null
        );
        while (!isAll)
        {
            isAll = await access.WriteAsync(database => SqliteClaim.TryConsiderAll(database, access.Now), cancellationToken);
        }
    }
}
