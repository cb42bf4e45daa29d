using System.Collections.Immutable;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Stores submitted runs, many in one statement, and takes those at once that may be.</summary>
internal static class PostgresSubmit
{
    /// <summary>
    /// The threads first: a run may be taken where its thread is new, and only the insertion knows. Then the runs, each running where its thread was taken.
    /// Runs that are known are left out at once: a redelivery must not lock the thread of a run that a worker is busy with.
    /// </summary>
    private const string Sql =
        """
        WITH d AS (
            INSERT INTO definitions (hash, json) SELECT * FROM unnest($14::text[], $15::bytea[]) ON CONFLICT DO NOTHING),
        s AS (
            SELECT *, $16::text IS NOT NULL AND delay_ms = 0 AND concurrency_key IS NULL AS may_take
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[], $8::smallint[], $9::double precision[],
                $10::text[], $11::integer[], $12::text[], $13::text[])
                AS s (thread_id, run_id, name, trace_id, definition_hash, created_at, input, priority, delay_ms, concurrency_key, concurrency_limit, request_hash,
                    trace_parent)
            WHERE (SELECT true FROM runs AS e WHERE e.thread_id = s.thread_id AND e.run_id = s.run_id) IS NULL),
        t AS (
            INSERT INTO threads AS t (thread_id, run_id, fence, holder, is_held, lease_until, status, attempt, last_sequence, name, trace_id, definition_hash,
                created_at, updated_at, usage, is_queued)
            SELECT thread_id, run_id, may_take::integer, CASE WHEN may_take THEN $16 ELSE '' END, may_take,
                CASE WHEN may_take THEN now() + $17 * interval '1 millisecond' END, CASE WHEN may_take THEN 'running' ELSE 'pending' END, may_take::integer, 0,
                name, trace_id, definition_hash, created_at, created_at, $18, true
            FROM s ORDER BY thread_id
            ON CONFLICT (thread_id) DO UPDATE SET finished_at = NULL
            WHERE t.finished_at IS NOT NULL
            RETURNING thread_id, run_id, xmax = 0 AND is_held AS is_taken),
        r AS (
            INSERT INTO runs (thread_id, run_id, status, name, trace_id, definition_hash, created_at, updated_at, usage, is_queued, input, priority, due_at,
                concurrency_key, concurrency_limit, request_hash, trace_parent)
            SELECT s.thread_id, s.run_id, CASE WHEN t.is_taken THEN 'running' ELSE 'pending' END, name, trace_id, definition_hash, created_at, created_at, $18,
                true, input, priority, now() + delay_ms * interval '1 millisecond', concurrency_key, concurrency_limit, request_hash, trace_parent
            FROM s LEFT JOIN t ON t.thread_id = s.thread_id AND t.run_id = s.run_id ORDER BY s.thread_id
            ON CONFLICT DO NOTHING RETURNING thread_id, run_id, status)
        SELECT thread_id, status, CASE WHEN status = 'pending' THEN pg_notify(current_schema() || '_runs', '')::text END FROM r
        """;

    public static async Task<ImmutableArray<SubmittedRun>> RunAsync(
        NpgsqlConnection connection, ImmutableArray<RunSubmission> submissions, Lease? takeFor, CancellationToken cancellationToken)
    {
        var answers = new SubmittedRun?[submissions.Length];
        // A statement touches each thread once: of runs on one thread the later ones go in a statement of their own.
        for (var open = Enumerable.Range(0, submissions.Length).ToList(); open.Count > 0; open = [.. open.Where(index => answers[index] is null)])
        {
            var round = open.DistinctBy(index => submissions[index].Run.ThreadId).ToList();
            var stored = await StoreAsync(connection, [.. round.Select(index => submissions[index])], takeFor, cancellationToken);
            foreach (var index in round)
            {
                var submission = submissions[index];
                answers[index] = stored.TryGetValue(submission.Run.ThreadId, out var isTaken)
                    ? New(submission, isTaken)
                    : await FindAsync(connection, submission.Run, cancellationToken);
            }
        }
        return [.. answers!];
    }

    /// <summary>The threads whose run was stored now, and whether it was taken.</summary>
    private static async Task<Dictionary<string, bool>> StoreAsync(
        NpgsqlConnection connection, RunSubmission[] round, Lease? takeFor, CancellationToken cancellationToken)
    {
        var definitions = round.Select(it => it.Definition).DistinctBy(it => it.Hash).OrderBy(it => it.Hash, StringComparer.Ordinal).ToArray();
        await using var command = connection.With(
            Sql,
            All(it => it.Run.ThreadId), All(it => it.Run.RunId), All(it => PostgresRows.Shown(it.Run.Name)), All(it => PostgresRows.Shown(it.Run.TraceId)),
            All(it => it.Definition.Hash), All(it => it.Run.CreatedAt.UtcDateTime), All(it => it.Input.ToArray()), All(it => (short)it.Priority),
            All(it => it.Delay.TotalMilliseconds), All(it => it.ConcurrencyKey), All(it => it.ConcurrencyLimit), All(it => it.RequestHash),
            All(it => it.TraceParent), definitions.Select(it => it.Hash).ToArray(), definitions.Select(it => it.Json.ToArray()).ToArray(),
            takeFor?.Holder, takeFor?.Length.TotalMilliseconds ?? 0, RunJson.WriteUsage(new RunUsage()));
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var stored = new Dictionary<string, bool>(StringComparer.Ordinal);
        while (await row.ReadAsync(cancellationToken))
        {
            stored[row.GetString(0)] = row.GetString(1) == "running";
        }
        return stored;

        T[] All<T>(Func<RunSubmission, T> column) => Array.ConvertAll(round, it => column(it));
    }

    private static SubmittedRun New(RunSubmission submission, bool isTaken)
    {
        var run = submission.Run with { Fence = 0 };
        if (!isTaken)
        {
            return new SubmittedRun(run, true, submission.RequestHash);
        }
        var taken = Start.Apply(run, run.CreatedAt).Run;
        var claimed = new ClaimedRun(taken, submission.Definition, submission.Input, 0) { TraceParent = submission.TraceParent, IsNewThread = true };
        return new SubmittedRun(taken, true, submission.RequestHash, claimed);
    }

    private static async Task<SubmittedRun> FindAsync(NpgsqlConnection connection, Run run, CancellationToken cancellationToken)
    {
        await using var command = connection.With($"{PostgresRunQueue.Standing} WHERE r.thread_id = $1 AND r.run_id = $2", run.ThreadId, run.RunId);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? new SubmittedRun(PostgresRows.ReadRun(row), false, row.GetString(13))
            : new SubmittedRun(run, false, ""); // deleted at this very moment
    }
}
