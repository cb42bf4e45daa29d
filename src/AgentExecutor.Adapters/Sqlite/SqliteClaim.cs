using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Claims the most urgent due runs within an open transaction. The table <c>queue</c> contains the next run of each thread and whether it
/// is ready (see its migration).
/// </summary>
internal static class SqliteClaim
{
    /// <summary>
    /// How many rows that have become due one claim considers, which takes about 3 ms. Each row is considered once, and until then it
    /// counts neither as ready nor as full.
    /// </summary>
    private const int MaxConsidered = 100;

    private const string Consider = """
        UPDATE queue SET state = 'full'
        WHERE thread_id IN (
            SELECT thread_id FROM queue
            WHERE state = 'new' AND due_at <= $1
            ORDER BY due_at LIMIT $2)
        """;

    private const string Ready = """
        SELECT thread_id, run_id FROM queue
        WHERE state = 'ready' AND priority = $1 AND due_at <= $2
        ORDER BY due_at, job LIMIT $3
        """;

    /// <summary>Returns the run, with the fencing token and the last sequence number of the newest run of its thread.</summary>
    private const string Due = $"""
        SELECT {SqliteRows.RunColumns}, crashes, d.json AS definition, j.input, j.trace_parent,
            (SELECT max(fence) FROM runs AS n WHERE n.thread_id = r.thread_id) AS thread_fence,
            (SELECT last_sequence FROM runs AS n
                WHERE n.thread_id = r.thread_id
                {SqliteRows.NewestFirst} LIMIT 1) AS thread_sequence,
            (SELECT usage FROM runs AS n
                WHERE n.thread_id = r.thread_id AND n.run_id <> r.run_id AND n.attempt > 0
                {SqliteRows.NewestFirst} LIMIT 1) AS thread_usage
        FROM runs AS r
        JOIN jobs AS j ON j.id = r.job
        JOIN definitions AS d ON d.hash = r.definition_hash
        WHERE r.thread_id = $1 AND r.run_id = $2
        """;

    private static readonly SqliteStatement<ClaimRow> Take = new(
        """
        UPDATE runs SET
            fence = $fence, status = 'running', attempt = $attempt, last_sequence = $last_sequence, updated_at = $updated_at,
            failure = NULL, holder = $holder, is_held = 1, lease_until = $lease_until, usage = $usage
        WHERE thread_id = $thread_id AND run_id = $run_id
        """,
        new("thread_id", it => it.Run.ThreadId),
        new("run_id", it => it.Run.RunId),
        new("fence", it => it.Run.Fence),
        new("attempt", it => it.Run.Attempt),
        new("last_sequence", it => it.Run.LastSequence),
        new("updated_at", it => SqliteRows.WriteTime(it.Now)),
        new("holder", it => it.Lease.Holder),
        new("lease_until", it => (it.Now + it.Lease.Length).ToUnixTimeMilliseconds()),
        new("usage", it => RunJson.WriteUsage(it.Run.Usage))
    );

    /// <returns>The claimed runs, and whether there are more rows that no claim has considered since they became due.</returns>
    public static (ImmutableArray<ClaimedRun> Claimed, bool HasMore) Apply(
        SqliteStatements database,
        Lease lease,
        int atMost,
        DateTimeOffset now
    )
    {
        var hasMore = !TryConsiderAll(database, now.ToUnixTimeMilliseconds());
        var claimed = ImmutableArray.CreateBuilder<ClaimedRun>();
        foreach (var key in FindReady(database, atMost, now.ToUnixTimeMilliseconds()))
        {
            var due = Read(database, key);
            var started = due with { Run = Start.Apply(due.Run, now).Run };
            database.Run(Take, new ClaimRow(started.Run, lease, now));
            claimed.Add(started);
        }
        return (claimed.ToImmutable(), hasMore);
    }

    /// <summary>
    /// Considers runs with a concurrency key that have become due, and makes them ready while their keys have free positions. Returns false
    /// if there are more of them than one transaction considers.
    /// </summary>
    public static bool TryConsiderAll(SqliteStatements database, long now) => database.Run(Consider, now, MaxConsidered) < MaxConsidered;

    private static List<RunKey> FindReady(SqliteStatements database, int atMost, long now)
    {
        var ready = new List<RunKey>();
        for (var priority = 0; priority <= RunSubmission.LastPriority && ready.Count < atMost; priority++)
        {
            using var row = database.Query(Ready, priority, now, atMost - ready.Count);
            while (row.Read())
            {
                ready.Add(new RunKey(row.Text("thread_id"), row.Text("run_id")));
            }
        }
        return ready;
    }

    private static ClaimedRun Read(SqliteStatements database, RunKey key)
    {
        using var row = database.Query(Due, key.ThreadId, key.RunId);
        if (!row.Read())
        {
            throw new FaultException(
                FaultCodes.StoreCorrupt,
                $"the definition or the input of the run '{key.RunId}' is missing in the database",
                "restore the database from a backup, or delete the thread of the run"
            );
        }
        var run = SqliteRows.ReadRun(row);
        run = run with { Fence = row.Number("thread_fence"), LastSequence = Math.Max(run.LastSequence, row.Number("thread_sequence")) };
        if (run.Attempt == 0 && row.OptionalText("thread_usage") is { } usage)
        {
            run = run with { Usage = RunJson.ReadUsage(StoredJson.Parse(usage)).ForNextRun() };
        }
        var definition = new StoredDefinition(run.DefinitionHash, row.Bytes("definition"));
        return new ClaimedRun(run, definition, row.Bytes("input"), row.Integer("crashes")) { TraceParent = row.Text("trace_parent") };
    }

    /// <summary>A run that is claimed, in the state of its new attempt.</summary>
    private readonly record struct ClaimRow(Run Run, Lease Lease, DateTimeOffset Now);
}
