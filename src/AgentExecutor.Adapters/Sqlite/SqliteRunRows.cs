using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Applies a commit to its run and to the lease of its thread. A commit is allowed if it repeats the last one, if it acquires, with a
/// greater fencing token, a thread that nobody holds and for which no submitted run waits, or if it continues a running run.
/// <see cref="StatusRule"/> defines which changes of a finished run are allowed.
/// </summary>
internal static class SqliteRunRows
{
    /// <summary>
    /// The most frequent change: a step of a running run by the holder of its thread. One statement finds the run with its fencing token
    /// and changes it.
    /// </summary>
    private static readonly SqliteStatement<RunRow> Step = new(
        """
        UPDATE runs SET
            last_sequence = $last_sequence, updated_at = $updated_at, usage = $usage,
            lease_until = coalesce($lease_until, lease_until),
            crashes = CASE WHEN $has_checkpoint THEN 0 ELSE crashes END
        WHERE thread_id = $thread_id AND run_id = $run_id AND fence = $fence AND status = 'running'
            AND (job IS NULL OR created_at = $created_at)
            AND NOT EXISTS (SELECT 1 FROM runs AS newer WHERE newer.thread_id = $thread_id AND newer.fence > $fence)
        """,
        new("thread_id", it => it.Run.ThreadId),
        new("run_id", it => it.Run.RunId),
        new("fence", it => it.Commit.Fence),
        new("last_sequence", it => it.Run.LastSequence),
        new("updated_at", it => SqliteRows.WriteTime(it.Run.UpdatedAt)),
        new("usage", it => RunJson.WriteUsage(it.Run.Usage)),
        new("lease_until", it => EndOf(it.Commit.Lease, it.Now)),
        new("has_checkpoint", it => it.Commit.Checkpoint is not null),
        new("created_at", it => SqliteRows.WriteTime(it.Run.CreatedAt))
    );

    private static readonly SqliteStatement<RunRow> Put = new(
        $"""
        INSERT INTO runs ({SqliteRows.RunColumns}, holder, is_held, lease_until, finished_at)
        VALUES ($thread_id, $run_id, $fence, $status, $name, $trace_id, $definition_hash, $attempt, $last_sequence,
            $created_at, $updated_at, $usage, $failure, coalesce($new_holder, ''), $is_held, $lease_until,
            CASE WHEN $status IN ('completed', 'failed', 'cancelled') THEN $updated_at END)
        ON CONFLICT (thread_id, run_id) DO UPDATE SET
            fence = excluded.fence, status = excluded.status, attempt = excluded.attempt,
            last_sequence = excluded.last_sequence, updated_at = excluded.updated_at, usage = excluded.usage,
            failure = excluded.failure, finished_at = excluded.finished_at,
            holder = coalesce($new_holder, holder), is_held = excluded.is_held, lease_until = excluded.lease_until,
            crashes = CASE WHEN $has_checkpoint OR fence <> excluded.fence THEN 0 ELSE crashes END,
            cancel_requested = cancel_requested AND is_held AND excluded.status = 'running'
        """,
        [
            .. SqliteRows.RunValues<RunRow>(it => it.Run),
            new("new_holder", it => it.Commit.Acquires ? it.Commit.Lease?.Holder ?? "" : null),
            new("is_held", it => it.HeldLease is not null),
            new("lease_until", it => EndOf(it.HeldLease, it.Now)),
            new("has_checkpoint", it => it.Commit.Checkpoint is not null),
        ]
    );

    /// <summary>Only submitted runs have an outcome that is published.</summary>
    private static readonly SqliteStatement<RunRow> PutOutcome = new(
        """
        INSERT INTO outbox (thread_id, run_id, sequence, status, json, created_at)
        SELECT thread_id, run_id, $sequence, $status, $json, $created_at
        FROM runs
        WHERE thread_id = $thread_id AND run_id = $run_id AND job IS NOT NULL
        ON CONFLICT DO NOTHING
        """,
        new("thread_id", it => it.Run.ThreadId),
        new("run_id", it => it.Run.RunId),
        new("sequence", it => it.Commit.Result!.Sequence),
        new("status", it => SqliteRows.Name(it.Run.Status)),
        new("json", it => it.Commit.Result!.Json),
        new("created_at", it => it.Now)
    );

    /// <param name="now">Milliseconds since 1970.</param>
    public static void Apply(SqliteStatements database, StepCommit commit, long now)
    {
        if (commit.Run is not { } run)
        {
            CheckFence(database, commit);
            return;
        }
        var row = new RunRow(commit, run, now);
        if (!IsStep(commit) || database.Run(Step, row) != 1)
        {
            Change(database, row);
        }
    }

    private static bool IsStep(StepCommit commit) =>
        !commit.Acquires && commit.Result is null && commit.Run is { Status: RunStatus.Running };

    /// <summary>Applies all other changes, such as acquiring the thread or a new status.</summary>
    private static void Change(SqliteStatements database, RunRow row)
    {
        Check(database, row.Commit, row.Run, row.Now);
        database.Run(Put, row);
        if (row.Commit.Result is not null)
        {
            database.Run(PutOutcome, row);
        }
    }

    private static long? EndOf(Lease? lease, long now) => lease is null ? null : now + (long)lease.Length.TotalMilliseconds;

    private static void CheckFence(SqliteStatements database, StepCommit commit)
    {
        if (database.Scalar("SELECT max(fence) FROM runs WHERE thread_id = $1", commit.ThreadId) is long fence && fence > commit.Fence)
        {
            throw LeaseLost(commit);
        }
    }

    private static void Check(SqliteStatements database, StepCommit commit, Run run, long now)
    {
        if (IsOfDeletedThread(database, run))
        {
            throw LeaseLost(commit);
        }
        if (NewestRun.Find(database, commit.ThreadId) is not { } newest)
        {
            if (!commit.Acquires && commit.Lease is not null)
            {
                // The thread was deleted, and stays deleted.
                throw LeaseLost(commit);
            }
        }
        else if (!IsRepetition(newest, commit, run))
        {
            CheckAgainst(newest, commit, run, now);
            if (StatusOf(database, run) is { } status && !StatusRule.Allows(status, run.Status, commit.Acquires))
            {
                throw LeaseLost(commit);
            }
            if (newest.IsHeld && newest.RunId != run.RunId)
            {
                // The lease of the other run has expired, but the run has not been rescued yet.
                database.Run(
                    "UPDATE runs SET is_held = 0, lease_until = NULL, cancel_requested = 0 WHERE thread_id = $1 AND run_id = $2",
                    commit.ThreadId,
                    newest.RunId
                );
            }
        }
    }

    /// <summary>
    /// Returns true if the commit belongs to a deleted run whose id was submitted again. Older versions of the program did not store the
    /// fencing tokens of deleted threads, so the creation time distinguishes the two runs.
    /// </summary>
    private static bool IsOfDeletedThread(SqliteStatements database, Run run) =>
        database.Scalar(
            "SELECT 1 FROM runs WHERE thread_id = $1 AND run_id = $2 AND job IS NOT NULL AND created_at <> $3",
            run.ThreadId,
            run.RunId,
            SqliteRows.WriteTime(run.CreatedAt)
        )
            is not null;

    private static RunStatus? StatusOf(SqliteStatements database, Run run) =>
        database.Scalar("SELECT status FROM runs WHERE thread_id = $1 AND run_id = $2", run.ThreadId, run.RunId) is string status
            ? SqliteRows.ReadStatus(status)
            : null;

    /// <summary>A commit that acquires the thread without a lease never counts as a repetition.</summary>
    private static bool IsRepetition(NewestRun newest, StepCommit commit, Run run) =>
        newest.Fence == commit.Fence
        && newest.RunId == run.RunId
        && newest.Status == SqliteRows.Name(run.Status)
        && newest.LastSequence == run.LastSequence
        && (!commit.Acquires || (commit.Lease is { } lease && lease.Holder == newest.Holder));

    private static void CheckAgainst(NewestRun newest, StepCommit commit, Run run, long now)
    {
        var isOlder = newest.Fence < commit.Fence;
        if (commit.Acquires ? !isOlder : !isOlder && !(newest.Fence == commit.Fence && newest.Status == "running"))
        {
            throw LeaseLost(commit);
        }
        if (commit.Acquires && newest.IsHeld && newest.LeaseUntil > now)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy,
                $"another worker runs the thread '{commit.ThreadId}'",
                $"wait until it has ended; its lease ends in {(newest.LeaseUntil - now) / 1000.0:0.0} s unless it is renewed"
            );
        }
        if (newest.IsHeld && newest.IsCancelRequested && newest.RunId == run.RunId && commit.IsBarredByCancel)
        {
            throw commit.CancelRequested();
        }
        if (commit.Acquires && newest.IsQueued && newest.Status is ("pending" or "running") && newest.RunId != run.RunId)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy,
                $"a submitted run waits for the thread '{commit.ThreadId}'",
                "wait until a worker has executed it, or submit your run to the queue"
            );
        }
    }

    private static FaultException LeaseLost(StepCommit commit) =>
        new(
            FaultCodes.LeaseLost,
            $"another worker has taken over the thread '{commit.ThreadId}'",
            "nothing was changed; the other worker continues the run"
        );

    /// <summary>A commit of a run.</summary>
    /// <param name="Commit">The commit.</param>
    /// <param name="Run">Its run.</param>
    /// <param name="Now">Milliseconds since 1970.</param>
    private readonly record struct RunRow(StepCommit Commit, Run Run, long Now)
    {
        /// <summary>The lease that the run has after the commit, or null if it is no longer running.</summary>
        public Lease? HeldLease => Run.Status == RunStatus.Running ? Commit.Lease : null;
    }
}
