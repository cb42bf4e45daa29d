using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// What a commit does to its run, and to the lease of its thread. A commit is let through where it is its own repetition; where it acquires with a greater fence
/// a thread that nobody holds and no submitted run waits for; or where it goes on with a running run. So a run that has ended stays ended.
/// </summary>
internal static class SqliteRunRows
{
    /// <summary>What runs do all the time: it finds the running run with its fence and changes it, in one statement.</summary>
    private const string Step =
        """
        UPDATE runs SET last_sequence = $4, updated_at = $5, usage = $6, lease_until = coalesce($7, lease_until), crashes = CASE WHEN $8 THEN 0 ELSE crashes END
        WHERE thread_id = $1 AND run_id = $2 AND fence = $3 AND status = 'running'
            AND NOT EXISTS (SELECT 1 FROM runs AS newer WHERE newer.thread_id = $1 AND newer.fence > $3)
        """;

    private const string Put =
        $"""
        INSERT INTO runs ({SqliteRows.RunColumns}, holder, is_held, lease_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, coalesce($14, ''), $15, $16)
        ON CONFLICT (thread_id, run_id) DO UPDATE SET fence = excluded.fence, status = excluded.status, attempt = excluded.attempt,
            last_sequence = excluded.last_sequence, updated_at = excluded.updated_at, usage = excluded.usage, failure = excluded.failure,
            holder = coalesce($14, holder), is_held = excluded.is_held, lease_until = excluded.lease_until, crashes = CASE WHEN $17 OR fence <> excluded.fence THEN 0 ELSE crashes END
        """;

    private const string PutOutcome =
        """
        INSERT INTO outbox (thread_id, run_id, sequence, status, json, created_at)
        SELECT thread_id, run_id, $3, $4, $5, $6 FROM runs WHERE thread_id = $1 AND run_id = $2 AND job IS NOT NULL
        ON CONFLICT DO NOTHING
        """;

    public static void Apply(SqliteStatements database, StepCommit commit, long now)
    {
        if (commit.Run is not { } run)
        {
            CheckFence(database, commit);
        }
        else if (!IsStep(commit) || !TryStep(database, commit, run, now))
        {
            Change(database, commit, run, now);
        }
    }

    private static bool IsStep(StepCommit commit) => !commit.Acquires && commit.Result is null && commit.Run is { Status: RunStatus.Running };

    private static bool TryStep(SqliteStatements database, StepCommit commit, Run run, long now) => database.Run(
        Step,
        run.ThreadId, run.RunId, commit.Fence, run.LastSequence, SqliteRows.WriteTime(run.UpdatedAt), RunJson.WriteUsage(run.Usage),
        Until(commit.Lease, now), commit.Checkpoint is not null) == 1;

    /// <summary>Everything else: taking the thread, a new status.</summary>
    private static void Change(SqliteStatements database, StepCommit commit, Run run, long now)
    {
        Check(database, commit, run, now);
        var lease = run.Status == RunStatus.Running ? commit.Lease : null;
        database.Run(
            Put,
            run.ThreadId, run.RunId, run.Fence, SqliteCommit.Name(run.Status), run.Name, run.TraceId, run.DefinitionHash, run.Attempt, run.LastSequence,
            SqliteRows.WriteTime(run.CreatedAt), SqliteRows.WriteTime(run.UpdatedAt), RunJson.WriteUsage(run.Usage), RunJson.WriteFailure(run.Failure),
            commit.Acquires ? commit.Lease?.Holder ?? "" : null, lease is not null, Until(lease, now), commit.Checkpoint is not null);
        if (commit.Result is { } result)
        {
            database.Run(PutOutcome, run.ThreadId, run.RunId, result.Sequence, SqliteCommit.Name(run.Status), result.Json, now);
        }
    }

    private static long? Until(Lease? lease, long now) => lease is null ? null : now + (long)lease.Length.TotalMilliseconds;

    private static void CheckFence(SqliteStatements database, StepCommit commit)
    {
        if (database.Scalar("SELECT max(fence) FROM runs WHERE thread_id = $1", commit.ThreadId) is long fence && fence > commit.Fence)
        {
            throw LeaseLost(commit);
        }
    }

    private static void Check(SqliteStatements database, StepCommit commit, Run run, long now)
    {
        if (Standing.Find(database, commit.ThreadId) is not { } newest)
        {
            if (!commit.Acquires && commit.Lease is not null)
            {
                throw LeaseLost(commit); // a thread that was deleted stays so
            }
        }
        else if (!IsRepetition(newest, commit, run))
        {
            CheckAgainst(newest, commit, run, now);
            if (newest.IsHeld && newest.RunId != run.RunId)
            {
                // its lease ran out before it was rescued
                database.Run("UPDATE runs SET is_held = 0, lease_until = NULL WHERE thread_id = $1 AND run_id = $2", commit.ThreadId, newest.RunId);
            }
        }
    }

    /// <summary>Whoever acquires without a lease is nobody's repetition.</summary>
    private static bool IsRepetition(Standing newest, StepCommit commit, Run run) =>
        newest.Fence == commit.Fence && newest.RunId == run.RunId && newest.Status == SqliteCommit.Name(run.Status) && newest.LastSequence == run.LastSequence
        && (!commit.Acquires || (commit.Lease is { } lease && lease.Holder == newest.Holder));

    private static void CheckAgainst(Standing newest, StepCommit commit, Run run, long now)
    {
        var isOlder = newest.Fence < commit.Fence;
        if (commit.Acquires ? !isOlder : !isOlder && !(newest.Fence == commit.Fence && newest.Status == "running"))
        {
            throw LeaseLost(commit);
        }
        if (commit.Acquires && newest.IsHeld && newest.LeaseUntil > now)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy, $"another worker runs the thread '{commit.ThreadId}'",
                $"wait for it; its lease ends in {(newest.LeaseUntil - now) / 1000.0:0.0} s unless it is renewed");
        }
        if (commit.Acquires && newest.IsQueued && newest.Status is ("pending" or "running") && newest.RunId != run.RunId)
        {
            throw new FaultException(
                FaultCodes.ThreadBusy, $"a run that was submitted waits for the thread '{commit.ThreadId}'", "wait until a worker has run it, or submit yours behind it");
        }
    }

    private static FaultException LeaseLost(StepCommit commit) => new(
        FaultCodes.LeaseLost, $"the thread '{commit.ThreadId}' was taken over by another worker", "nothing was changed; let the other go on");

    /// <summary>The newest run of a thread, as far as it bars others.</summary>
    private sealed record Standing(string RunId, long Fence, string Status, long LastSequence, string Holder, bool IsHeld, long LeaseUntil, bool IsQueued)
    {
        public static Standing? Find(SqliteStatements database, string threadId)
        {
            using var row = database.Query(
                $"""
                SELECT run_id, fence, status, last_sequence, holder, is_held, coalesce(lease_until, 0), job IS NOT NULL
                FROM runs WHERE thread_id = $1 {SqliteRows.NewestFirst} LIMIT 1
                """, threadId);
            return row.Read()
                ? new Standing(
                    row.GetString(0), row.GetInt64(1), row.GetString(2), row.GetInt64(3), row.GetString(4), row.GetBoolean(5), row.GetInt64(6), row.GetBoolean(7))
                : null;
        }
    }
}
