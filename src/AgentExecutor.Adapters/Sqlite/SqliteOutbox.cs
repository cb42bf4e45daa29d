using System.Collections.Immutable;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Reads the outcomes that the commits of steps have stored as rows. The rows that a relay publishes are only known to this process,
/// because its relays end with it.
/// </summary>
internal sealed class SqliteOutbox(SqliteAccess access) : IOutbox
{
    private const string Outcomes = """
        SELECT o.id, o.thread_id, o.run_id, o.sequence, o.status, o.json, coalesce(j.trace_parent, '') AS trace_parent,
            o.created_at, o.announced_at IS NOT NULL AS is_published
        FROM outbox AS o
        LEFT JOIN runs AS r USING (thread_id, run_id)
        LEFT JOIN jobs AS j ON j.id = r.job
        """;

    private const string Unpublished = $"{Outcomes} WHERE o.announced_at IS NULL ORDER BY o.created_at, o.id LIMIT $1";

    private const string Newest = $"{Outcomes} WHERE o.thread_id = $1 AND o.run_id = $2 ORDER BY o.sequence DESC LIMIT 1";

    private const string NewestStatus = """
        SELECT r.status, coalesce(o.sequence, 0) AS sequence, o.announced_at IS NOT NULL AS is_published
        FROM runs AS r
        LEFT JOIN outbox AS o ON o.thread_id = r.thread_id AND o.run_id = r.run_id
        WHERE r.thread_id = $1 AND r.run_id = $2
        ORDER BY o.sequence DESC LIMIT 1
        """;

    private const string Drop = """
        DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox
            WHERE announced_at IS NOT NULL AND created_at < $1
            ORDER BY created_at LIMIT $2)
        """;

    private readonly SqliteNotices _notices = new(access);
    private readonly Lock _gate = new();

    // The ids of the rows that relays are publishing.
    private readonly HashSet<long> _taken = [];

    public async ValueTask<int> RelayAsync(
        int atMost,
        Func<ImmutableArray<Outcome>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    )
    {
        var waiting = Take(atMost);
        if (waiting.Count == 0)
        {
            return 0;
        }
        try
        {
            await publish([.. waiting.Select(it => it.Outcome)], cancellationToken);
            await access.WriteAsync(
                database =>
                {
                    foreach (var (id, _) in waiting)
                    {
                        database.Run("UPDATE outbox SET announced_at = $2 WHERE id = $1", id, access.Now);
                    }
                },
                CancellationToken.None
            );
        }
        finally
        {
            lock (_gate)
            {
                _taken.ExceptWith(waiting.Select(it => it.Id));
            }
        }
        return waiting.Count;
    }

    public ValueTask<int> RelayNoticesAsync(
        int atMost,
        Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    ) => _notices.RelayAsync(atMost, publish, cancellationToken);

    public ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            access.Read(database =>
                runs.SelectMany(run => Read(database.Query(Newest, run.ThreadId, run.RunId))).Select(it => it.Outcome).ToImmutableArray()
            )
        );

    public ValueTask<ImmutableArray<RunOutcomeStatus>> FindStatusesAsync(
        ImmutableArray<RunKey> runs,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult(
            access.Read(database =>
            {
                var statuses = ImmutableArray.CreateBuilder<RunOutcomeStatus>();
                foreach (var run in runs)
                {
                    using var row = database.Query(NewestStatus, run.ThreadId, run.RunId);
                    if (row.Read())
                    {
                        statuses.Add(ReadStatus(row, run));
                    }
                }
                return statuses.ToImmutable();
            })
        );

    public ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken) =>
        access.WriteAsync(
            database =>
            {
                var before = (access.UtcNow - olderThan).ToUnixTimeMilliseconds();
                SqliteNotices.Drop(database, before, atMost);
                return database.Run(Drop, before, atMost);
            },
            cancellationToken
        );

    /// <summary>
    /// Reads within the lock, so that a row that another relay publishes meanwhile either still counts as taken or is read as published.
    /// </summary>
    private List<(long Id, Outcome Outcome)> Take(int atMost)
    {
        lock (_gate)
        {
            var waiting = access.Read(database => Read(database.Query(Unpublished, (long)atMost + _taken.Count)));
            waiting = [.. waiting.Where(it => !_taken.Contains(it.Id)).Take(atMost)];
            _taken.UnionWith(waiting.Select(it => it.Id));
            return waiting;
        }
    }

    private List<(long Id, Outcome Outcome)> Read(SqliteRowReader rows)
    {
        using var row = rows;
        var now = access.UtcNow;
        var outcomes = new List<(long, Outcome)>();
        while (row.Read())
        {
            outcomes.Add((row.Number("id"), ReadOutcome(row, now)));
        }
        return outcomes;
    }

    private static Outcome ReadOutcome(SqliteRowReader row, DateTimeOffset now)
    {
        var createdAt = row.UnixTime("created_at");
        return new Outcome(
            new RunKey(row.Text("thread_id"), row.Text("run_id")),
            row.Number("sequence"),
            SqliteRows.ReadStatus(row.Text("status")),
            row.Bytes("json"),
            row.Text("trace_parent"),
            createdAt,
            now - createdAt,
            row.Flag("is_published")
        );
    }

    private static RunOutcomeStatus ReadStatus(SqliteRowReader row, RunKey run) =>
        new(run, SqliteRows.ReadStatus(row.Text("status")), row.Number("sequence"), row.Flag("is_published"));
}
