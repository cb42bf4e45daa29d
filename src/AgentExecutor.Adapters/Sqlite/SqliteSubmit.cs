using System.Collections.Immutable;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Stores submitted runs, and takes those at once that may be; within an open transaction.</summary>
internal static class SqliteSubmit
{
    public static ImmutableArray<SubmittedRun> Apply(
        SqliteStatements database, ImmutableArray<RunSubmission> submissions, Lease? takeFor, DateTimeOffset now)
    {
        foreach (var definition in submissions.Select(it => it.Definition).DistinctBy(it => it.Hash))
        {
            SqliteCommit.PutDefinition(database, definition);
        }
        return [.. submissions.Select(submission => Find(database, submission.Run) ?? Put(database, submission, takeFor, now))];
    }

    private static SubmittedRun? Find(SqliteStatements database, Run run)
    {
        using var row = database.Query(
            $"SELECT {SqliteRows.RunColumns}, (SELECT request_hash FROM jobs WHERE id = job) FROM runs WHERE thread_id = $1 AND run_id = $2", run.ThreadId, run.RunId);
        return row.Read() ? new SubmittedRun(SqliteRows.ReadRun(row), false, row.IsDBNull(13) ? "" : row.GetString(13)) : null;
    }

    private static SubmittedRun Put(SqliteStatements database, RunSubmission submission, Lease? takeFor, DateTimeOffset now)
    {
        var waiting = submission.Run with { Fence = 0 };
        var lease = MayTake(database, submission) ? takeFor : null;
        var run = lease is null ? waiting : Start.Apply(waiting, now).Run;
        PutRow(database, submission, run, lease, now);
        var claimed = lease is null ? null : new ClaimedRun(run, submission.Definition, submission.Input, 0) { TraceParent = submission.TraceParent };
        return new SubmittedRun(run, true, submission.RequestHash, claimed);
    }

    private static bool MayTake(SqliteStatements database, RunSubmission submission) => submission.Delay == TimeSpan.Zero && submission.ConcurrencyKey is null
        && database.Scalar("SELECT 1 FROM runs WHERE thread_id = $1 LIMIT 1", submission.Run.ThreadId) is null;

    private static void PutRow(SqliteStatements database, RunSubmission submission, Run run, Lease? lease, DateTimeOffset now)
    {
        var job = (long)database.Scalar(
            "INSERT INTO jobs (input, request_hash, trace_parent) VALUES ($1, $2, $3) RETURNING id",
            submission.Input, submission.RequestHash, submission.TraceParent)!;
        database.Run(
            $"""
            INSERT INTO runs ({SqliteRows.RunColumns}, job, priority, due_at, concurrency_key, concurrency_limit, holder, is_held, lease_until)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL, $13, $14, $15, $16, $17, $18, $19, $20)
            """,
            run.ThreadId, run.RunId, run.Fence, SqliteCommit.Name(run.Status), run.Name, run.TraceId, run.DefinitionHash, run.Attempt, run.LastSequence,
            SqliteRows.WriteTime(run.CreatedAt), SqliteRows.WriteTime(run.UpdatedAt), RunJson.WriteUsage(run.Usage),
            job, submission.Priority, (now + submission.Delay).ToUnixTimeMilliseconds(), submission.ConcurrencyKey, submission.ConcurrencyLimit,
            lease?.Holder ?? "", lease is not null, lease is null ? null : (now + lease.Length).ToUnixTimeMilliseconds());
    }
}
