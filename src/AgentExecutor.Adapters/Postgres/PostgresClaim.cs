using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Claims due runs in one transaction of a few statements: it selects them and locks their threads, makes the caller the holder of these
/// threads, and repairs the queue for threads whose runs could not be claimed.
/// </summary>
internal static class PostgresClaim
{
    /// <summary>
    /// The minimum number of runs with a concurrency key that have become due, and of keys that may have free positions, which each claim
    /// checks.
    /// </summary>
    private const int LeastAdvance = 16;

    /// <summary>
    /// Returns the ready runs that are due, most urgent first. The tables know which runs are ready, because every change of a run or a
    /// thread updates them. If the run of a thread cannot be claimed, or the thread is locked, only the last column is not null.
    /// </summary>
    internal const string Due = """
        WITH due AS (
            SELECT d.*
            FROM generate_series(0, 9) AS p
            CROSS JOIN LATERAL (
                SELECT thread_id, run_id, priority, due_at FROM $schema.queue
                WHERE state = 'ready' AND priority = p AND due_at <= now()
                ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS d
            LIMIT $1)
        SELECT f.*, due.thread_id AS queued_thread_id
        FROM due
        LEFT JOIN LATERAL (
            SELECT r.thread_id, r.run_id, t.fence, r.status, r.name, r.trace_id, r.definition_hash,
                CASE WHEN t.run_id = r.run_id THEN t.attempt ELSE 0 END AS attempt,
                t.last_sequence, r.created_at, r.updated_at,
                CASE WHEN t.run_id = r.run_id THEN t.usage ELSE r.usage END AS usage,
                NULL::text AS failure, d.json AS definition, r.input,
                CASE WHEN t.run_id = r.run_id THEN t.crashes ELSE 0 END AS crashes,
                r.concurrency_key, r.trace_parent,
                CASE WHEN t.run_id <> r.run_id THEN t.usage END AS usage_of_thread
            FROM $schema.runs AS r
            JOIN $schema.threads AS t USING (thread_id)
            JOIN $schema.definitions AS d ON d.hash = r.definition_hash
            WHERE r.thread_id = due.thread_id AND r.run_id = due.run_id AND r.status = 'pending'
                AND NOT t.is_held AND t.deletion_started_at IS NULL
            FOR NO KEY UPDATE OF t SKIP LOCKED) AS f ON true
        ORDER BY due.priority, due.due_at
        """;

    // $1: the holder, $2: the length of the lease in milliseconds.
    private static readonly string Take = $"""
        WITH c AS (SELECT * FROM {ClaimRows.Table.As("c", first: 3)}),
        k AS (
            UPDATE $schema.threads AS t SET
                run_id = c.run_id, fence = c.fence,
                holder = $1, is_held = true, lease_until = now() + $2 * interval '1 millisecond',
                status = 'running', attempt = c.attempt, last_sequence = c.last_sequence,
                name = r.name, trace_id = r.trace_id, definition_hash = r.definition_hash,
                created_at = r.created_at, updated_at = now(), finished_at = NULL,
                usage = c.usage, failure = NULL, crashes = c.crashes, is_queued = true,
                concurrency_key = c.concurrency_key, cancel_requested = t.cancel_requested AND t.run_id = c.run_id
            FROM c JOIN $schema.runs AS r USING (thread_id, run_id)
            WHERE t.thread_id = c.thread_id AND NOT t.is_held AND t.fence = c.fence - 1
                AND r.status = 'pending' AND t.deletion_started_at IS NULL
            RETURNING t.thread_id, t.run_id)
        UPDATE $schema.runs SET status = 'running'
        FROM k
        WHERE runs.thread_id = k.thread_id AND runs.run_id = k.run_id
        RETURNING runs.thread_id
        """;

    public static async Task<ImmutableArray<ClaimedRun>> RunAsync(
        PostgresConnection connection,
        Lease lease,
        int atMost,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var (hasAdvanced, due, refused) = await ReadDueAsync(connection, atMost, cancellationToken);
        var taken = due.Count > 0 ? await TakeAsync(connection, due, lease) : [];
        refused.AddRange(due.Select(it => it.Claimed.Run.ThreadId).Where(threadId => !taken.Contains(threadId)));
        if (refused.Count > 0)
        {
            await connection.RunAsync("SELECT $schema.queue_repair($1)", [refused.ToArray()], CancellationToken.None);
        }
        if (hasAdvanced || due.Count > 0 || refused.Count > 0)
        {
            await transaction.CommitAsync(CancellationToken.None);
        }
        return [.. due.Where(it => taken.Contains(it.Claimed.Run.ThreadId)).Select(it => it.Claimed)];
    }

    /// <summary>
    /// Claims the runs and returns their threads. The call is not cancelled, because it must be known which runs were claimed.
    /// </summary>
    private static async Task<HashSet<string>> TakeAsync(PostgresConnection connection, List<DueRow> due, Lease lease)
    {
        await using var take = connection.With(Take, [lease.Holder, lease.Length.TotalMilliseconds, .. ClaimRows.Table.Parameters(due)]);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        await using var row = await take.ExecuteReaderAsync(CancellationToken.None);
        while (await row.ReadAsync(CancellationToken.None))
        {
            taken.Add(row.Text("thread_id"));
        }
        return taken;
    }

    /// <returns>
    /// Whether the queue was changed, the runs to claim, and the threads that were in line but whose runs were locked or not found.
    /// </returns>
    private static async Task<(bool HasAdvanced, List<DueRow> Due, List<string> Refused)> ReadDueAsync(
        PostgresConnection connection,
        int atMost,
        CancellationToken cancellationToken
    )
    {
        await using var batch = connection.Batch(
            PostgresCommands.BatchCommand("SELECT $schema.queue_advance($1) AS advanced", Math.Max(atMost, LeastAdvance)),
            PostgresCommands.BatchCommand(Due, (long)atMost)
        );
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        var hasAdvanced = await row.ReadAsync(cancellationToken) && row.Integer("advanced") > 0;
        await row.NextResultAsync(cancellationToken);
        var (due, refused) = (new List<DueRow>(), new List<string>());
        while (await row.ReadAsync(cancellationToken))
        {
            if (DueRow.Read(row) is { } found)
            {
                due.Add(found);
            }
            else
            {
                refused.Add(DueRow.ReadThread(row));
            }
        }
        return (hasAdvanced, due, refused);
    }
}
