using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Stores submitted runs within an open transaction, and claims those of them that can be claimed at once.</summary>
internal static class SqliteSubmit
{
    private const string FindRun = $"""
        SELECT {SqliteRows.RunColumns}, coalesce((SELECT request_hash FROM jobs WHERE id = job), '') AS request_hash
        FROM runs
        WHERE thread_id = $1 AND run_id = $2
        """;

    private const string PutJob = "INSERT INTO jobs (input, request_hash, trace_parent) VALUES ($1, $2, $3) RETURNING id";

    private static readonly SqliteStatement<SubmissionRow> PutRun = new(
        "INSERT INTO runs ($columns) VALUES ($values)",
        [
            .. SqliteRows.RunValues<SubmissionRow>(it => it.Run),
            new("job", it => it.Job),
            new("priority", it => it.Submission.Priority),
            new("due_at", it => (it.Now + it.Submission.Delay).ToUnixTimeMilliseconds()),
            new("concurrency_key", it => it.Submission.ConcurrencyKey),
            new("concurrency_limit", it => it.Submission.ConcurrencyLimit),
            new("holder", it => it.Lease?.Holder ?? ""),
            new("is_held", it => it.Lease is not null),
            new("lease_until", it => it.Lease is { } lease ? (it.Now + lease.Length).ToUnixTimeMilliseconds() : null),
        ]
    );

    public static ImmutableArray<SubmittedRun> Apply(
        SqliteStatements database,
        ImmutableArray<RunSubmission> submissions,
        Lease? claimLease,
        DateTimeOffset now
    )
    {
        foreach (var definition in submissions.Select(it => it.Definition).DistinctBy(it => it.Hash))
        {
            SqliteCommit.PutDefinition(database, definition);
        }
        return [.. submissions.Select(submission => Find(database, submission.Run) ?? Put(database, submission, claimLease, now))];
    }

    private static SubmittedRun? Find(SqliteStatements database, Run run)
    {
        using var row = database.Query(FindRun, run.ThreadId, run.RunId);
        return row.Read() ? new SubmittedRun(SqliteRows.ReadRun(row), false, row.Text("request_hash")) : null;
    }

    private static SubmittedRun Put(SqliteStatements database, RunSubmission submission, Lease? claimLease, DateTimeOffset now)
    {
        var isNewThread = database.Scalar("SELECT 1 FROM runs WHERE thread_id = $1 LIMIT 1", submission.Run.ThreadId) is null;
        var pending = submission.Run with { Fence = isNewThread ? SqliteThreads.FindFence(database, submission.Run.ThreadId) : 0 };
        var lease = isNewThread && submission is { ConcurrencyKey: null } && submission.Delay == TimeSpan.Zero ? claimLease : null;
        var run = lease is null ? pending : Start.Apply(pending, now).Run;
        var job = (long)database.Scalar(PutJob, submission.Input, submission.RequestHash, submission.TraceParent)!;
        database.Run(PutRun, new SubmissionRow(submission, run, job, lease, now));
        var claimed = lease is null
            ? null
            : new ClaimedRun(run, submission.Definition, submission.Input, 0) { TraceParent = submission.TraceParent };
        return new SubmittedRun(run, true, submission.RequestHash, claimed);
    }

    /// <summary>A submitted run.</summary>
    /// <param name="Submission">What was submitted.</param>
    /// <param name="Run">The run as it is stored: pending, or running if it was claimed at once.</param>
    /// <param name="Job">The id of its row in <c>jobs</c>.</param>
    /// <param name="Lease">The lease with which it was claimed, or null.</param>
    /// <param name="Now">The current time.</param>
    private readonly record struct SubmissionRow(RunSubmission Submission, Run Run, long Job, Lease? Lease, DateTimeOffset Now);
}
