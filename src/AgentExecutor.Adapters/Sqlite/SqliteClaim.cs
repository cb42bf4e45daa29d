using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Takes the due runs that are most urgent, within an open transaction: those without a key by priority and age, of each key as many as its limit leaves. Both
/// are found by indexes of what waits, so what has ended costs nothing.
/// </summary>
internal static class SqliteClaim
{
    /// <summary>It is due, nobody has its thread, and none before it waits for the same thread.</summary>
    private const string Claimable =
        """
        r.status = 'pending' AND r.job IS NOT NULL AND r.due_at <= $2
        AND NOT EXISTS (SELECT 1 FROM runs AS h INDEXED BY runs_held WHERE h.thread_id = r.thread_id AND h.is_held)
        AND NOT EXISTS (
            SELECT 1 FROM runs AS e WHERE e.thread_id = r.thread_id AND e.status = 'pending' AND e.job IS NOT NULL AND (e.due_at, e.job) < (r.due_at, r.job))
        """;

    private const string Unkeyed =
        $"""
        SELECT thread_id, run_id, priority, due_at, job, 0 FROM runs AS r
        WHERE r.concurrency_key IS NULL AND r.priority = $3 AND {Claimable} ORDER BY r.due_at, r.job LIMIT $1
        """;

    private const string Keyed =
        $"""
        SELECT thread_id, run_id, priority, due_at, job, concurrency_limit FROM runs AS r
        WHERE r.concurrency_key = $3 AND {Claimable} ORDER BY r.priority, r.due_at, r.job LIMIT $1
        """;

    /// <summary>Goes from key to key, for a key may have thousands of runs.</summary>
    private const string Keys =
        """
        WITH RECURSIVE keys (key) AS (
            SELECT min(concurrency_key) FROM runs WHERE status = 'pending' AND job IS NOT NULL AND concurrency_key IS NOT NULL
            UNION ALL
            SELECT (SELECT min(concurrency_key) FROM runs WHERE status = 'pending' AND job IS NOT NULL AND concurrency_key IS NOT NULL AND concurrency_key > keys.key)
            FROM keys WHERE keys.key IS NOT NULL)
        SELECT key FROM keys WHERE key IS NOT NULL
        """;

    /// <summary>The run, with the fence and the number of its thread's newest.</summary>
    private const string Due =
        $"""
        SELECT {SqliteRows.RunColumns}, crashes, d.json, j.input, j.trace_parent,
            (SELECT max(fence) FROM runs AS n WHERE n.thread_id = r.thread_id),
            (SELECT last_sequence FROM runs AS n WHERE n.thread_id = r.thread_id {SqliteRows.NewestFirst} LIMIT 1),
            (SELECT usage FROM runs AS n WHERE n.thread_id = r.thread_id AND n.run_id <> r.run_id AND n.attempt > 0 {SqliteRows.NewestFirst} LIMIT 1)
        FROM runs AS r JOIN jobs AS j ON j.id = r.job JOIN definitions AS d ON d.hash = r.definition_hash WHERE r.thread_id = $1 AND r.run_id = $2
        """;

    private const string Take =
        """
        UPDATE runs SET fence = $3, status = 'running', attempt = $4, last_sequence = $5, updated_at = $6, failure = NULL, holder = $7, is_held = 1, lease_until = $8,
            usage = $9
        WHERE thread_id = $1 AND run_id = $2
        """;

    public static ImmutableArray<ClaimedRun> Apply(SqliteStatements database, Lease lease, int atMost, DateTimeOffset now)
    {
        var due = Find(database, atMost, now.ToUnixTimeMilliseconds());
        var claimed = ImmutableArray.CreateBuilder<ClaimedRun>();
        foreach (var candidate in due.OrderBy(it => it.Priority).ThenBy(it => it.DueAt).ThenBy(it => it.Job).Take(atMost))
        {
            var (run, definition, input, crashes, traceParent) = Read(database, candidate);
            var taken = Start.Apply(run, now).Run;
            database.Run(
                Take, taken.ThreadId, taken.RunId, taken.Fence, taken.Attempt, taken.LastSequence, SqliteRows.WriteTime(now), lease.Holder,
                (now + lease.Length).ToUnixTimeMilliseconds(), RunJson.WriteUsage(taken.Usage));
            claimed.Add(new ClaimedRun(taken, new StoredDefinition(run.DefinitionHash, definition), input, crashes) { TraceParent = traceParent });
        }
        return claimed.ToImmutable();
    }

    private static List<Candidate> Find(SqliteStatements database, int atMost, long now)
    {
        var due = new List<Candidate>();
        foreach (var key in FindKeys(database))
        {
            var held = (long)database.Scalar("SELECT count(*) FROM runs WHERE is_held AND concurrency_key = $1 AND concurrency_key IS NOT NULL", key)!;
            var first = Query(database, Keyed, atMost, now, key);
            due.AddRange(first.Where((candidate, place) => place < candidate.Limit - held));
        }
        var unkeyed = 0;
        for (var priority = 0; priority <= RunSubmission.LastPriority && unkeyed < atMost; priority++)
        {
            var next = Query(database, Unkeyed, atMost - unkeyed, now, priority);
            unkeyed += next.Count;
            due.AddRange(next);
        }
        return due;
    }

    private static List<string> FindKeys(SqliteStatements database)
    {
        var keys = new List<string>();
        using var row = database.Query(Keys);
        while (row.Read())
        {
            keys.Add(row.GetString(0));
        }
        return keys;
    }

    private static List<Candidate> Query(SqliteStatements database, string sql, int atMost, long now, object keyOrPriority)
    {
        var found = new List<Candidate>();
        using var row = database.Query(sql, atMost, now, keyOrPriority);
        while (row.Read())
        {
            found.Add(new Candidate(row.GetString(0), row.GetString(1), row.GetInt32(2), row.GetInt64(3), row.GetInt64(4), row.GetInt32(5)));
        }
        return found;
    }

    private static (Run Run, byte[] Definition, byte[] Input, int Crashes, string TraceParent) Read(SqliteStatements database, Candidate candidate)
    {
        using var row = database.Query(Due, candidate.ThreadId, candidate.RunId);
        if (!row.Read())
        {
            throw new FaultException(FaultCodes.StoreCorrupt, $"the definition or the input of the run '{candidate.RunId}' is not stored");
        }
        var run = SqliteRows.ReadRun(row);
        run = run with { Fence = row.GetInt64(17), LastSequence = Math.Max(run.LastSequence, row.GetInt64(18)) };
        run = run.Attempt > 0 || row.IsDBNull(19) ? run : run with { Usage = RunJson.ReadUsage(JsonElement.Parse(row.GetString(19))).ForNextRun() };
        return (run, row.GetFieldValue<byte[]>(14), row.GetFieldValue<byte[]>(15), row.GetInt32(13), row.GetString(16));
    }

    private sealed record Candidate(string ThreadId, string RunId, int Priority, long DueAt, long Job, int Limit);
}
