using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// The queue as a table. A run that waits is a row of <c>runs</c>; the one that a thread runs, with its lease, is the thread's row of <c>threads</c>.
/// Claimers skip rows that others have locked. Waiting rows are found by partial indexes, so what has ended costs nothing.
/// </summary>
internal sealed class PostgresRunQueue(PostgresAccess access, PostgresAccess callers, string schema) : IRunQueue, IAsyncDisposable
{
    private const string Claimable =
        """
        r.status = 'pending' AND r.is_queued AND r.due_at <= now()
        AND NOT EXISTS (SELECT 1 FROM threads AS t WHERE t.thread_id = r.thread_id AND t.is_held)
        AND NOT EXISTS (
            SELECT 1 FROM runs AS e WHERE e.thread_id = r.thread_id AND e.status = 'pending' AND e.is_queued AND (e.due_at, e.run_id) < (r.due_at, r.run_id))
        """;

    /// <summary>
    /// The due runs, the most urgent first: those without a key by priority and age; of each key as many as its limit leaves, which is counted safely
    /// because claims of keyed runs follow each other.
    /// </summary>
    private const string Due =
        $"""
        WITH RECURSIVE keys AS (
            (SELECT min(concurrency_key) AS key FROM runs WHERE status = 'pending' AND is_queued AND concurrency_key IS NOT NULL)
            UNION ALL
            SELECT (SELECT min(concurrency_key) FROM runs WHERE status = 'pending' AND is_queued AND concurrency_key IS NOT NULL AND concurrency_key > keys.key)
            FROM keys WHERE keys.key IS NOT NULL),
        keyed AS (
            SELECT d.thread_id, d.run_id, d.priority, d.due_at FROM keys CROSS JOIN LATERAL (
                SELECT r.*, row_number() OVER (ORDER BY priority, due_at) AS place FROM (
                    SELECT * FROM runs AS r WHERE concurrency_key = keys.key AND {Claimable} ORDER BY priority, due_at LIMIT $1) AS r) AS d
            WHERE d.place <= d.concurrency_limit - (SELECT count(*) FROM threads AS t WHERE t.concurrency_key = keys.key AND t.is_held)),
        unkeyed AS (
            SELECT d.* FROM generate_series(0, 9) AS p CROSS JOIN LATERAL (
                SELECT thread_id, run_id, priority, due_at FROM runs AS r WHERE concurrency_key IS NULL AND priority = p AND {Claimable}
                ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS d
            LIMIT $1),
        due AS (
            SELECT * FROM (SELECT * FROM keyed UNION ALL SELECT * FROM unkeyed) AS d ORDER BY priority, due_at LIMIT $1)
        SELECT r.thread_id, r.run_id, t.fence, r.status, r.name, r.trace_id, r.definition_hash,
            CASE WHEN t.run_id = r.run_id THEN t.attempt ELSE 0 END, t.last_sequence, r.created_at, r.updated_at,
            CASE WHEN t.run_id = r.run_id THEN t.usage ELSE r.usage END, NULL, d.json, r.input,
            CASE WHEN t.run_id = r.run_id THEN t.crashes ELSE 0 END, r.concurrency_key, r.trace_parent, CASE WHEN t.run_id <> r.run_id THEN t.usage END
        FROM due JOIN runs AS r USING (thread_id, run_id) JOIN threads AS t USING (thread_id) JOIN definitions AS d ON d.hash = r.definition_hash
        ORDER BY due.priority, due.due_at FOR NO KEY UPDATE OF t SKIP LOCKED
        """;

    private const string Take =
        """
        WITH c AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::bigint[], $6::text[], $7::integer[], $8::text[])
                AS c (thread_id, run_id, fence, attempt, last_sequence, usage, crashes, concurrency_key)),
        k AS (
            UPDATE threads AS t SET
                run_id = c.run_id, fence = c.fence, holder = $9, is_held = true, lease_until = now() + $10 * interval '1 millisecond', status = 'running',
                attempt = c.attempt, last_sequence = c.last_sequence, name = r.name, trace_id = r.trace_id, definition_hash = r.definition_hash,
                created_at = r.created_at, updated_at = now(), finished_at = NULL, usage = c.usage, failure = NULL, crashes = c.crashes, is_queued = true,
                concurrency_key = c.concurrency_key, cancel_requested = t.cancel_requested AND t.run_id = c.run_id
            FROM c JOIN runs AS r USING (thread_id, run_id) WHERE t.thread_id = c.thread_id AND NOT t.is_held AND t.fence = c.fence - 1
            RETURNING t.thread_id, t.run_id)
        UPDATE runs SET status = 'running' FROM k WHERE runs.thread_id = k.thread_id AND runs.run_id = k.run_id RETURNING runs.thread_id
        """;

    /// <summary>Runs as they stand.</summary>
    internal const string Standing =
        """
        SELECT r.thread_id, r.run_id, coalesce(t.fence, 0), coalesce(t.status, r.status), r.name, r.trace_id, r.definition_hash, coalesce(t.attempt, 0),
            coalesce(t.last_sequence, 0), r.created_at, coalesce(t.updated_at, r.updated_at), coalesce(t.usage, r.usage), coalesce(t.failure, r.failure),
            r.request_hash
        FROM runs AS r LEFT JOIN threads AS t ON t.thread_id = r.thread_id AND t.run_id = r.run_id
        """;

    /// <summary>Someone waits for the answer.</summary>
    private static readonly TimeSpan CallerPatience = TimeSpan.FromSeconds(5);

    private readonly PostgresListener _listener = new(access, $"{schema}_runs");

    public async ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(
        ImmutableArray<RunSubmission> submissions, Lease? takeFor, CancellationToken cancellationToken) =>
        await callers.RunAsync((connection, cancel) => PostgresSubmit.RunAsync(connection, submissions, takeFor, cancel), cancellationToken, CallerPatience);

    public async ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken) =>
        await callers.RunAsync((connection, cancel) => FindAsync(connection, threadId, runId, cancel), cancellationToken, CallerPatience);

    public async ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken) =>
        await access.RunAsync((connection, cancel) => ClaimAsync(connection, lease, atMost, cancel), cancellationToken, TimeSpan.Zero);

    public async ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(Lease lease, ImmutableArray<HeldRun> held, CancellationToken cancellationToken) => await access.RunAsync(
        async (connection, cancel) =>
        {
            // Rows that a commit has locked are being renewed by it; waiting for them could be a deadlock.
            await using var command = connection.With(
                """
                WITH h AS (SELECT * FROM unnest($1, $2) AS h (thread_id, fence)),
                free AS (
                    SELECT t.thread_id FROM threads AS t JOIN h USING (thread_id) WHERE t.is_held AND t.fence = h.fence FOR NO KEY UPDATE OF t SKIP LOCKED),
                u AS (UPDATE threads AS t SET lease_until = now() + $3 * interval '1 millisecond' FROM free WHERE t.thread_id = free.thread_id)
                SELECT t.thread_id, t.fence FROM threads AS t JOIN h USING (thread_id) WHERE t.is_held AND t.fence = h.fence
                """,
                held.Select(run => run.ThreadId).ToArray(), held.Select(run => run.Fence).ToArray(), lease.Length.TotalMilliseconds);
            await using var row = await command.ExecuteReaderAsync(cancel);
            var still = ImmutableHashSet.CreateBuilder<HeldRun>();
            while (await row.ReadAsync(cancel))
            {
                still.Add(new HeldRun(row.GetString(0), row.GetInt64(1)));
            }
            return still.ToImmutable();
        },
        cancellationToken,
        TimeSpan.Zero);

    public async ValueTask<ImmutableArray<RescuedRun>> RescueAsync(TimeSpan afterStart, CancellationToken cancellationToken) => await access.RunAsync(
        async (connection, cancel) =>
        {
            await using var command = connection.With(
                """
                WITH lost AS (
                    SELECT thread_id FROM threads
                    WHERE is_held AND lease_until <= now() AND pg_postmaster_start_time() < now() - $1 * interval '1 millisecond' LIMIT 1000 FOR UPDATE SKIP LOCKED),
                t AS (
                    UPDATE threads AS t SET fence = fence + 1, is_held = false, lease_until = NULL, crashes = crashes + 1, status = 'pending',
                        last_sequence = last_sequence + $2
                    FROM lost WHERE t.thread_id = lost.thread_id RETURNING t.thread_id, t.run_id, t.crashes, t.is_queued),
                r AS (
                    UPDATE runs SET status = 'pending' FROM t WHERE runs.thread_id = t.thread_id AND runs.run_id = t.run_id)
                SELECT thread_id, run_id, crashes, is_queued, pg_notify(current_schema() || '_runs', '')::text FROM t
                """, afterStart.TotalMilliseconds, Start.SequenceGap);
            await using var row = await command.ExecuteReaderAsync(cancel);
            var rescued = ImmutableArray.CreateBuilder<RescuedRun>();
            while (await row.ReadAsync(cancel))
            {
                rescued.Add(new RescuedRun(row.GetString(0), row.GetString(1), row.GetInt32(2), row.GetBoolean(3)));
            }
            return rescued.ToImmutable();
        },
        cancellationToken,
        TimeSpan.Zero);

    public async ValueTask AcquitAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken) => await access.RunAsync(
        (connection, cancel) => connection.RunAsync(
            """
            UPDATE threads AS t SET crashes = t.crashes - 1 FROM unnest($1, $2) AS h (thread_id, fence)
            WHERE t.thread_id = h.thread_id AND t.fence > h.fence AND t.crashes > 0
            """, [lost.Select(run => run.ThreadId).ToArray(), lost.Select(run => run.Fence).ToArray()], cancel),
        cancellationToken,
        TimeSpan.Zero);

    public async ValueTask<bool> AskToCancelAsync(string threadId, CancellationToken cancellationToken) => await callers.RunAsync(
        (connection, cancel) => connection.RunAsync("UPDATE threads SET cancel_requested = true WHERE thread_id = $1 AND is_held", [threadId], cancel),
        cancellationToken, CallerPatience) > 0;

    public async ValueTask<ImmutableArray<HeldRun>> CancelledAsync(Lease lease, CancellationToken cancellationToken) => await access.RunAsync(
        async (connection, cancel) =>
        {
            await using var command = connection.With("SELECT thread_id, fence FROM threads WHERE is_held AND cancel_requested AND holder = $1", lease.Holder);
            await using var row = await command.ExecuteReaderAsync(cancel);
            var asked = ImmutableArray.CreateBuilder<HeldRun>();
            while (await row.ReadAsync(cancel))
            {
                asked.Add(new HeldRun(row.GetString(0), row.GetInt64(1)));
            }
            return asked.ToImmutable();
        },
        cancellationToken,
        TimeSpan.Zero);

    public async ValueTask DisposeAsync()
    {
        await access.DisposeAsync();
        await callers.DisposeAsync();
    }

    public Task WaitAsync(CancellationToken cancellationToken) => _listener.WaitAsync(cancellationToken);

    private static async Task<ImmutableArray<ClaimedRun>> ClaimAsync(NpgsqlConnection connection, Lease lease, int atMost, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var due = await ReadDueAsync(connection, atMost, cancellationToken);
        if (due.Count == 0)
        {
            return [];
        }
        await using var take = connection.With(
            Take,
            due.Select(it => it.Claimed.Run.ThreadId).ToArray(), due.Select(it => it.Claimed.Run.RunId).ToArray(), due.Select(it => it.Claimed.Run.Fence).ToArray(),
            due.Select(it => it.Claimed.Run.Attempt).ToArray(), due.Select(it => it.Claimed.Run.LastSequence).ToArray(),
            due.Select(it => RunJson.WriteUsage(it.Claimed.Run.Usage)).ToArray(), due.Select(it => it.Claimed.Crashes).ToArray(), due.Select(it => it.Key).ToArray(),
            lease.Holder, lease.Length.TotalMilliseconds);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        await using (var row = await take.ExecuteReaderAsync(CancellationToken.None)) // from here on it is not broken off: what is taken must be known
        {
            while (await row.ReadAsync(CancellationToken.None))
            {
                taken.Add(row.GetString(0));
            }
        }
        await transaction.CommitAsync(CancellationToken.None);
        return [.. due.Where(it => taken.Contains(it.Claimed.Run.ThreadId)).Select(it => it.Claimed)];
    }

    private static async Task<List<(ClaimedRun Claimed, string? Key)>> ReadDueAsync(NpgsqlConnection connection, int atMost, CancellationToken cancellationToken)
    {
        // The lock first, and alone: the statement after it then sees what earlier claims of keyed runs did.
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                PostgresCommands.BatchCommand(
                    """
                    SELECT pg_advisory_xact_lock(hashtextextended('agent_executor_claims:' || current_schema(), 0))::text
                    WHERE EXISTS (SELECT 1 FROM runs WHERE status = 'pending' AND is_queued AND concurrency_key IS NOT NULL)
                    """),
                PostgresCommands.BatchCommand(Due, (long)atMost),
            },
        };
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        var isLocked = await row.ReadAsync(cancellationToken);
        await row.NextResultAsync(cancellationToken);
        var due = new List<(ClaimedRun, string?)>();
        while (await row.ReadAsync(cancellationToken))
        {
            var run = PostgresRows.ReadRun(row);
            run = row.IsDBNull(18) ? run : run with { Usage = RunJson.ReadUsage(JsonElement.Parse(row.GetString(18))).ForNextRun() };
            if (!isLocked && !row.IsDBNull(16))
            {
                continue; // submitted since the first statement looked: the next claim counts it
            }
            due.Add((
                new ClaimedRun(
                    Start.Apply(run, run.UpdatedAt).Run, new StoredDefinition(run.DefinitionHash, row.GetFieldValue<byte[]>(13)), row.GetFieldValue<byte[]>(14),
                    row.GetInt32(15))
                {
                    TraceParent = row.GetString(17),
                },
                row.IsDBNull(16) ? null : row.GetString(16)));
        }
        return due;
    }

    /// <summary>The run as it stands: where its thread has it, else where it waits or has ended.</summary>
    private static async Task<Run?> FindAsync(NpgsqlConnection connection, string threadId, string runId, CancellationToken cancellationToken)
    {
        await using var command = connection.With($"{Standing} WHERE r.thread_id = $1 AND r.run_id = $2", threadId, runId);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? PostgresRows.ReadRun(row) : null;
    }
}
