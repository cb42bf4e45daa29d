using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Stores submitted runs, many in one statement, and claims those of them that can be claimed at once.</summary>
internal static class PostgresSubmit
{
    private static readonly DefinitionRows Definitions = new();

    /// <summary>
    /// Inserts the threads first, because a run may be claimed only if its thread is new, and only the insertion knows that. Then it
    /// inserts the runs, as running if their thread was claimed. They are inserted in the order of their concurrency keys, whose rows
    /// triggers lock in that order. Known runs are excluded at once, because a redelivery must not lock the thread of a run that a worker
    /// executes. A thread that is being deleted accepts no run: the insertion finds its row, whose lock makes it wait for a deletion that
    /// is starting, and no run is stored. The other runs are then not claimed, because the answer has to wait.
    /// </summary>
    /// <remarks>
    /// $1: the holder, or null if no run may be claimed, $2: the length of its lease in milliseconds, $3: the usage of a new run,
    /// $4 and $5: the definitions, from $6: the submissions, starting with their threads.
    /// </remarks>
    private static readonly string Sql = $"""
        WITH d AS (
            INSERT INTO $schema.definitions (hash, json)
            SELECT hash, json
            FROM {Definitions.As("d", first: 4)}
            WHERE NOT EXISTS (SELECT FROM $schema.definitions AS e WHERE e.hash = d.hash AND e.retired_at IS NULL)
            ON CONFLICT (hash) DO UPDATE SET retired_at = NULL, checked_at = now()),
        s AS (
            SELECT *,
                $1::text IS NOT NULL AND delay_ms = 0 AND concurrency_key IS NULL AND NOT EXISTS (
                    SELECT FROM $schema.threads
                    WHERE deletion_started_at IS NOT NULL AND thread_id = ANY ($6::text[])) AS may_take
            FROM {SubmissionRows.Table.As("s", first: 6)}
            WHERE (SELECT true FROM $schema.runs AS e WHERE e.thread_id = s.thread_id AND e.run_id = s.run_id) IS NULL),
        t AS (
            INSERT INTO $schema.threads AS t (thread_id, run_id, fence,
                holder, is_held, lease_until,
                status, attempt, last_sequence, name, trace_id, definition_hash,
                created_at, updated_at, usage, is_queued)
            SELECT thread_id, run_id, (SELECT fence FROM $schema.deleted_fences) + may_take::integer,
                CASE WHEN may_take THEN $1 ELSE '' END, may_take, CASE WHEN may_take THEN now() + $2 * interval '1 millisecond' END,
                CASE WHEN may_take THEN 'running' ELSE 'pending' END, may_take::integer, 0, name, trace_id, definition_hash,
                created_at, created_at, $3, true
            FROM s
            ORDER BY thread_id
            ON CONFLICT (thread_id) DO UPDATE SET updated_at = t.updated_at
            WHERE t.deletion_started_at IS NULL
            RETURNING thread_id, run_id, fence, xmax = 0 AND is_held AS is_taken),
        r AS (
            INSERT INTO $schema.runs (thread_id, run_id,
                status, name, trace_id, definition_hash,
                created_at, updated_at, usage, is_queued, input, priority, due_at,
                concurrency_key, concurrency_limit, request_hash, trace_parent)
            SELECT s.thread_id, s.run_id,
                CASE WHEN t.is_taken AND t.run_id = s.run_id THEN 'running' ELSE 'pending' END, name, trace_id, definition_hash,
                created_at, created_at, $3, true, input, priority, now() + delay_ms * interval '1 millisecond',
                concurrency_key, concurrency_limit, request_hash, trace_parent
            FROM s JOIN t ON t.thread_id = s.thread_id
            ORDER BY concurrency_key, s.thread_id
            ON CONFLICT DO NOTHING
            RETURNING thread_id, run_id, status)
        SELECT r.thread_id,
            CASE WHEN r.status = 'running' THEN t.fence END AS fence,
            CASE WHEN r.status = 'pending' THEN pg_notify('$schema_runs', '')::text END AS notified
        FROM r JOIN t USING (thread_id)
        """;

    /// <param name="answers">
    /// Receives the result for each submission. It stays null if the thread is being deleted. Submissions that have a result already are
    /// skipped.
    /// </param>
    public static async Task<bool> RunAsync(
        PostgresConnection connection,
        ImmutableArray<RunSubmission> submissions,
        SubmittedRun?[] answers,
        Lease? claimLease,
        CancellationToken cancellationToken
    )
    {
        // A statement touches each thread only once, so later runs on the same thread need a further statement.
        var open = Enumerable.Range(0, submissions.Length).Where(index => answers[index] is null).ToList();
        while (open.Count > 0)
        {
            var round = open.DistinctBy(index => submissions[index].Run.ThreadId).ToList();
            var stored = await StoreAsync(connection, [.. round.Select(index => submissions[index])], claimLease, cancellationToken);
            foreach (var index in round)
            {
                var submission = submissions[index];
                answers[index] = stored.TryGetValue(submission.Run.ThreadId, out var fence)
                    ? New(submission, fence)
                    : await FindAsync(connection, submission.Run, cancellationToken);
            }
            open = [.. open.Except(round).Where(index => answers[index] is null)];
        }
        return true;
    }

    /// <summary>
    /// Returns the threads whose runs were stored now, each with the fencing token of its claim, or null if it was not claimed.
    /// </summary>
    private static async Task<Dictionary<string, long?>> StoreAsync(
        PostgresConnection connection,
        RunSubmission[] round,
        Lease? claimLease,
        CancellationToken cancellationToken
    )
    {
        var definitions = round
            .Select(it => it.Definition)
            .DistinctBy(it => it.Hash)
            .OrderBy(it => it.Hash, StringComparer.Ordinal)
            .ToArray();
        await using var command = connection.With(
            Sql,
            [
                claimLease?.Holder,
                claimLease?.Length.TotalMilliseconds ?? 0,
                RunJson.WriteUsage(new RunUsage()),
                .. Definitions.Parameters(definitions),
                .. SubmissionRows.Table.Parameters(round),
            ]
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var stored = new Dictionary<string, long?>(StringComparer.Ordinal);
        while (await row.ReadAsync(cancellationToken))
        {
            stored[row.Text("thread_id")] = row.OptionalNumber("fence");
        }
        return stored;
    }

    private static SubmittedRun New(RunSubmission submission, long? fence)
    {
        var run = submission.Run with { Fence = 0 };
        if (fence is not { } taking)
        {
            return new SubmittedRun(run, true, submission.RequestHash);
        }
        var taken = Start.Apply(run with { Fence = taking - 1 }, run.CreatedAt).Run;
        var claimed = new ClaimedRun(taken, submission.Definition, submission.Input, 0)
        {
            TraceParent = submission.TraceParent,
            IsNewThread = true,
        };
        return new SubmittedRun(taken, true, submission.RequestHash, claimed);
    }

    private static async Task<SubmittedRun?> FindAsync(PostgresConnection connection, Run run, CancellationToken cancellationToken) =>
        await CurrentRun.FindAsync(connection, run.ThreadId, run.RunId, cancellationToken) is { } found
            ? new SubmittedRun(found.Run, false, found.RequestHash)
            : null;
}
