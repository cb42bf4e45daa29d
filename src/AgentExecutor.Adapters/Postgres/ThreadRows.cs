using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// The most frequent change: a step of a running run by the holder of its thread. It updates five columns of the thread's row, which stays
/// locked until the end of the transaction. The statement divides by zero unless it finds every thread with its fencing token, which rolls
/// the whole transaction back. Older versions of the program did not store the fencing tokens of deleted threads, so the creation time
/// distinguishes a submitted run from a deleted one with the same id.
/// </summary>
internal sealed class StepRows()
    : RowSet<StepCommit>(
        Sql,
        "",
        Text("thread_id", static it => it.ThreadId),
        Text("run_id", static it => it.Run!.RunId),
        Number("fence", static it => it.Fence),
        Double("lease_ms", static it => it.Lease?.Length.TotalMilliseconds),
        Number("last_sequence", static it => it.Run!.LastSequence),
        Time("updated_at", static it => it.Run!.UpdatedAt),
        Text("usage", static it => RunJson.WriteUsage(it.Run!.Usage)),
        Flag("has_checkpoint", static it => it.Checkpoint is not null),
        Time("created_at", static it => it.Run!.CreatedAt)
    )
{
    private const string Sql = """
        WITH u AS (
            UPDATE $schema.threads AS t SET
                lease_until = now() + c.lease_ms * interval '1 millisecond',
                last_sequence = c.last_sequence, updated_at = c.updated_at, usage = c.usage,
                crashes = CASE WHEN c.has_checkpoint THEN 0 ELSE t.crashes END
            FROM unnest($values) AS c ($columns)
            WHERE t.thread_id = c.thread_id AND t.fence = c.fence AND t.run_id = c.run_id AND t.status = 'running'
                AND (NOT t.is_queued OR t.created_at = c.created_at)
            RETURNING 1)
        SELECT 1 / (count(*) = cardinality($1))::integer FROM u
        """;

    public static bool Fits(StepCommit commit) => !commit.Acquires && commit.Result is null && commit.Run is { Status: RunStatus.Running };
}

/// <summary>
/// All other changes of a run, such as acquiring its thread or a new status. A commit is allowed if it repeats the last one, if it acquires
/// (names its holder), with a greater fencing token, a thread that nobody holds and for which no submitted run waits, or if it continues a
/// running run. A completed or cancelled run keeps its status, a failed run starts again only by a commit that acquires, and a thread that
/// is being deleted or was deleted stays so. A held run with a request to cancel can only end as cancelled. The statement divides by zero
/// like <see cref="StepRows"/>. It checks with a scalar query whether a thread exists, because an EXISTS combined with OR would be
/// evaluated with a hash of the whole table.
/// </summary>
internal sealed class ChangeRows()
    : RowSet<StepCommit>(
        Sql,
        "",
        Text("thread_id", static it => it.ThreadId),
        Text("run_id", static it => it.Run!.RunId),
        Number("fence", static it => it.Fence),
        Text("holder", HolderOf),
        Double("lease_ms", static it => it.Run!.Status == RunStatus.Running ? it.Lease?.Length.TotalMilliseconds : null),
        Text("status", static it => PostgresRows.Name(it.Run!.Status)),
        Integer("attempt", static it => it.Run!.Attempt),
        Number("last_sequence", static it => it.Run!.LastSequence),
        Text("name", static it => PostgresRows.Shown(it.Run!.Name)),
        Text("trace_id", static it => PostgresRows.Shown(it.Run!.TraceId)),
        Text("definition_hash", static it => it.Run!.DefinitionHash),
        Time("created_at", static it => it.Run!.CreatedAt),
        Time("updated_at", static it => it.Run!.UpdatedAt),
        Text("usage", static it => RunJson.WriteUsage(it.Run!.Usage)),
        Text("failure", static it => RunJson.WriteFailure(it.Run!.Failure)),
        Flag("may_begin", static it => it.Acquires || it.Lease is null)
    )
{
    private const string Sql = """
        WITH u AS (
            INSERT INTO $schema.threads AS t (thread_id, run_id, fence,
                holder, is_held, lease_until,
                status, attempt, last_sequence, name, trace_id, definition_hash, created_at, updated_at,
                finished_at, usage, failure)
            SELECT thread_id, run_id, fence,
                holder, lease_ms IS NOT NULL, now() + lease_ms * interval '1 millisecond',
                status, attempt, last_sequence, name, trace_id, definition_hash, created_at, updated_at,
                CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN updated_at END, usage, failure
            FROM unnest($values) AS c ($columns)
            WHERE may_begin OR (SELECT true FROM $schema.threads AS t WHERE t.thread_id = c.thread_id)
            ORDER BY thread_id
            ON CONFLICT (thread_id) DO UPDATE SET
                run_id = excluded.run_id, fence = excluded.fence,
                holder = CASE excluded.holder WHEN '' THEN t.holder ELSE excluded.holder END,
                is_held = excluded.is_held, lease_until = excluded.lease_until,
                status = excluded.status, attempt = excluded.attempt, last_sequence = excluded.last_sequence,
                name = excluded.name, trace_id = excluded.trace_id, definition_hash = excluded.definition_hash,
                created_at = excluded.created_at, updated_at = excluded.updated_at, finished_at = excluded.finished_at,
                usage = excluded.usage, failure = excluded.failure,
                is_queued = t.is_queued AND t.run_id = excluded.run_id,
                concurrency_key = CASE WHEN t.run_id = excluded.run_id THEN t.concurrency_key END,
                cancel_requested = t.cancel_requested AND t.run_id = excluded.run_id AND t.is_held AND excluded.status = 'running',
                crashes = CASE WHEN t.fence = excluded.fence THEN t.crashes ELSE 0 END
            WHERE t.deletion_started_at IS NULL
                AND NOT (t.is_queued AND t.run_id = excluded.run_id AND t.created_at <> excluded.created_at)
                AND (
                    t.fence = excluded.fence AND t.run_id = excluded.run_id AND t.status = excluded.status
                        AND t.last_sequence = excluded.last_sequence AND excluded.holder IN ('', t.holder)
                    OR NOT (t.run_id = excluded.run_id AND t.status IN ('completed', 'cancelled'))
                        AND NOT (t.cancel_requested AND t.is_held AND t.run_id = excluded.run_id
                            AND excluded.status NOT IN ('running', 'cancelled'))
                        AND CASE WHEN excluded.holder = ''
                            THEN t.fence < excluded.fence AND NOT (t.run_id = excluded.run_id AND t.status = 'failed')
                                OR t.fence = excluded.fence AND t.status = 'running'
                            ELSE t.fence < excluded.fence AND (NOT t.is_held OR t.lease_until <= now())
                                AND NOT (t.is_queued AND t.status IN ('pending', 'running') AND t.run_id <> excluded.run_id) END)
            RETURNING thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, failure),
        r AS (
            INSERT INTO $schema.runs AS r (thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at,
                usage, failure, finished_at)
            SELECT *, CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN updated_at END
            FROM u
            ON CONFLICT (thread_id, run_id) DO UPDATE SET
                status = excluded.status, updated_at = excluded.updated_at, usage = excluded.usage, failure = excluded.failure,
                finished_at = excluded.finished_at
            WHERE r.status = excluded.status OR r.status NOT IN ('completed', 'cancelled')
            RETURNING CASE WHEN status = 'pending' AND is_queued THEN pg_notify('$schema_runs', '') END)
        SELECT 1 / ((SELECT count(*) FROM u) = cardinality($1) AND (SELECT count(*) FROM r) = cardinality($1))::integer
        """;

    /// <summary>
    /// A commit that acquires without a lease gets a holder of its own, so that no other commit counts as its repetition.
    /// </summary>
    private static string HolderOf(StepCommit commit) => !commit.Acquires ? "" : commit.Lease?.Holder ?? Guid.NewGuid().ToString("N");
}

/// <summary>
/// Commits that change no run. Only their fencing token is checked against the thread's. The statement divides by zero like <see
/// cref="StepRows"/>.
/// </summary>
internal sealed class BareRows : RowSet<StepCommit>
{
    private const string Sql = """
        SELECT 1 / (count(*) = 0)::integer
        FROM (
            SELECT
            FROM $schema.threads AS t JOIN unnest($values) AS c ($columns) USING (thread_id)
            WHERE t.fence > c.fence OR t.deletion_started_at IS NOT NULL
            FOR UPDATE OF t) AS newer
        """;

    public BareRows()
        : base(Sql, "", Text("thread_id", static it => it.ThreadId), Number("fence", static it => it.Fence)) { }
}
