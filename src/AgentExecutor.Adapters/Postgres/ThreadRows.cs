using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using NpgsqlTypes;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// What runs do all the time: a step of a running run by whoever acquired it. It changes five columns of its thread's row, which stays locked until the end of
/// the transaction. The statement divides by zero unless it finds every thread with its fence, and so undoes the whole transaction.
/// </summary>
internal sealed class StepRows : RowSet
{
    private const string Sql =
        """
        WITH u AS (
            UPDATE threads AS t SET
                lease_until = now() + c.lease_ms * interval '1 millisecond', last_sequence = c.last_sequence, updated_at = c.updated_at, usage = c.usage,
                crashes = CASE WHEN c.has_checkpoint THEN 0 ELSE t.crashes END
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS c (thread_id, run_id, fence, lease_ms, last_sequence, updated_at, usage, has_checkpoint)
            WHERE t.thread_id = c.thread_id AND t.fence = c.fence AND t.run_id = c.run_id AND t.status = 'running'
            RETURNING 1)
        SELECT 1 / (count(*) = cardinality($1))::integer FROM u
        """;

    private readonly List<string> _threadId;
    private readonly List<string> _runId;
    private readonly List<long> _fence;
    private readonly List<double?> _leaseMs;
    private readonly List<long> _lastSequence;
    private readonly List<DateTime> _updatedAt;
    private readonly List<string> _usage;
    private readonly List<bool> _hasCheckpoint;

    public StepRows()
        : base(Sql) => (_threadId, _runId, _fence, _leaseMs, _lastSequence, _updatedAt, _usage, _hasCheckpoint) =
            (Text(), Text(), Number(), Column<double?>(NpgsqlDbType.Double), Number(), Time(), Text(), Column<bool>(NpgsqlDbType.Boolean));

    public static bool Fits(StepCommit commit) => !commit.Acquires && commit.Result is null && commit.Run is { Status: RunStatus.Running };

    public void Add(StepCommit commit)
    {
        var run = commit.Run!;
        _threadId.Add(commit.ThreadId);
        _runId.Add(run.RunId);
        _fence.Add(commit.Fence);
        _leaseMs.Add(commit.Lease?.Length.TotalMilliseconds);
        _lastSequence.Add(run.LastSequence);
        _updatedAt.Add(run.UpdatedAt.UtcDateTime);
        _usage.Add(RunJson.WriteUsage(run.Usage));
        _hasCheckpoint.Add(commit.Checkpoint is not null);
    }
}

/// <summary>
/// Everything else that changes a run: taking its thread, a new status. A commit is let through where it is its own repetition; where it acquires (it names its
/// holder) with a greater fence a thread that nobody holds and no submitted run waits for; or where it goes on with a running run. So a run that has ended stays
/// ended, and a thread that was deleted stays so. Divides by zero like <see cref="StepRows"/>. Whether a thread is there is asked by a scalar query: an EXISTS beside
/// an OR is answered from a hash of the whole table.
/// </summary>
internal sealed class ChangeRows : RowSet
{
    private const string Sql =
        """
        WITH u AS (
            INSERT INTO threads AS t (thread_id, run_id, fence, holder, is_held, lease_until, status, attempt, last_sequence, name, trace_id, definition_hash,
                created_at, updated_at, finished_at, usage, failure)
            SELECT thread_id, run_id, fence, holder, lease_ms IS NOT NULL, now() + lease_ms * interval '1 millisecond', status, attempt, last_sequence, name, trace_id,
                definition_hash, created_at, updated_at, CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN updated_at END, usage, failure
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS c (thread_id, run_id, fence, holder, lease_ms, status, attempt,
                last_sequence, name, trace_id, definition_hash, created_at, updated_at, usage, failure, may_begin)
            WHERE may_begin OR (SELECT true FROM threads AS t WHERE t.thread_id = c.thread_id)
            ORDER BY thread_id
            ON CONFLICT (thread_id) DO UPDATE SET
                run_id = excluded.run_id, fence = excluded.fence, holder = CASE excluded.holder WHEN '' THEN t.holder ELSE excluded.holder END,
                is_held = excluded.is_held, lease_until = excluded.lease_until, status = excluded.status, attempt = excluded.attempt,
                last_sequence = excluded.last_sequence, name = excluded.name, trace_id = excluded.trace_id, definition_hash = excluded.definition_hash,
                created_at = excluded.created_at, updated_at = excluded.updated_at, finished_at = excluded.finished_at, usage = excluded.usage,
                failure = excluded.failure, is_queued = t.is_queued AND t.run_id = excluded.run_id,
                concurrency_key = CASE WHEN t.run_id = excluded.run_id THEN t.concurrency_key END,
                cancel_requested = t.cancel_requested AND t.run_id = excluded.run_id AND excluded.status IN ('pending', 'running', 'interrupted'), crashes = CASE WHEN t.fence = excluded.fence THEN t.crashes ELSE 0 END
            WHERE t.fence = excluded.fence AND t.run_id = excluded.run_id AND t.status = excluded.status AND t.last_sequence = excluded.last_sequence
                    AND excluded.holder IN ('', t.holder)
                OR CASE WHEN excluded.holder = '' THEN t.fence < excluded.fence OR t.fence = excluded.fence AND t.status = 'running'
                    ELSE t.fence < excluded.fence AND (NOT t.is_held OR t.lease_until <= now())
                        AND NOT (t.is_queued AND t.status IN ('pending', 'running') AND t.run_id <> excluded.run_id) END
            RETURNING thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, failure),
        r AS (
            INSERT INTO runs (thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, failure) SELECT * FROM u
            ON CONFLICT (thread_id, run_id) DO UPDATE SET
                status = excluded.status, updated_at = excluded.updated_at, usage = excluded.usage, failure = excluded.failure
            RETURNING CASE WHEN status = 'pending' AND is_queued THEN pg_notify(current_schema() || '_runs', '') END)
        SELECT 1 / (count(*) = cardinality($1))::integer FROM u WHERE (SELECT count(*) FROM r) >= 0
        """;

    private readonly List<string> _threadId;
    private readonly List<string> _runId;
    private readonly List<long> _fence;
    private readonly List<string> _holder;
    private readonly List<double?> _leaseMs;
    private readonly List<string> _status;
    private readonly List<int> _attempt;
    private readonly List<long> _lastSequence;
    private readonly List<string> _name;
    private readonly List<string> _traceId;
    private readonly List<string> _definitionHash;
    private readonly List<DateTime> _createdAt;
    private readonly List<DateTime> _updatedAt;
    private readonly List<string> _usage;
    private readonly List<string?> _failure;
    private readonly List<bool> _mayBegin;

    public ChangeRows()
        : base(Sql)
    {
        (_threadId, _runId, _fence, _holder, _leaseMs, _status, _attempt) =
            (Text(), Text(), Number(), Text(), Column<double?>(NpgsqlDbType.Double), Text(), Integer());
        (_lastSequence, _name, _traceId, _definitionHash, _createdAt, _updatedAt, _usage, _failure) =
            (Number(), Text(), Text(), Text(), Time(), Time(), Text(), OptionalText());
        _mayBegin = Column<bool>(NpgsqlDbType.Boolean);
    }

    public void Add(StepCommit commit)
    {
        var run = commit.Run!;
        _threadId.Add(commit.ThreadId);
        _runId.Add(run.RunId);
        _fence.Add(commit.Fence);
        // Whoever acquires without a lease is nobody's repetition: a holder that no other has.
        _holder.Add(!commit.Acquires ? "" : commit.Lease?.Holder ?? Guid.NewGuid().ToString("N"));
        _leaseMs.Add(run.Status == RunStatus.Running ? commit.Lease?.Length.TotalMilliseconds : null);
        _status.Add(PostgresRows.Name(run.Status));
        _attempt.Add(run.Attempt);
        _lastSequence.Add(run.LastSequence);
        _name.Add(PostgresRows.Shown(run.Name));
        _traceId.Add(PostgresRows.Shown(run.TraceId));
        _definitionHash.Add(run.DefinitionHash);
        _createdAt.Add(run.CreatedAt.UtcDateTime);
        _updatedAt.Add(run.UpdatedAt.UtcDateTime);
        _usage.Add(RunJson.WriteUsage(run.Usage));
        _failure.Add(RunJson.WriteFailure(run.Failure));
        _mayBegin.Add(commit.Acquires || commit.Lease is null);
    }
}

/// <summary>Commits that change no run: their fence is only held against the thread's. Divides by zero like <see cref="StepRows"/>.</summary>
internal sealed class BareRows : RowSet
{
    private const string Sql =
        """
        SELECT 1 / (count(*) = 0)::integer FROM (
            SELECT FROM threads AS t JOIN unnest($1, $2) AS c (thread_id, fence) USING (thread_id) WHERE t.fence > c.fence FOR UPDATE OF t) AS newer
        """;

    private readonly List<string> _threadId;
    private readonly List<long> _fence;

    public BareRows()
        : base(Sql) => (_threadId, _fence) = (Text(), Number());

    public void Add(StepCommit commit)
    {
        _threadId.Add(commit.ThreadId);
        _fence.Add(commit.Fence);
    }
}
