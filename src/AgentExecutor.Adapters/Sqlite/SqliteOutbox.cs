using System.Collections.Immutable;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Outcomes as rows that the steps' commits wrote. Which of them a relay has is known to this process alone: when it dies, so does the relay.</summary>
internal sealed class SqliteOutbox(SqliteAccess access) : IOutbox
{
    private const string Columns = "o.id, o.thread_id, o.run_id, o.sequence, o.status, o.json, coalesce(j.trace_parent, ''), o.created_at, o.announced_at IS NOT NULL";
    private const string Rows = "outbox AS o LEFT JOIN runs AS r USING (thread_id, run_id) LEFT JOIN jobs AS j ON j.id = r.job";

    private readonly Lock _gate = new();
    private readonly HashSet<long> _taken = []; // rows that relays have

    public async ValueTask<int> RelayAsync(int atMost, Func<ImmutableArray<Outcome>, CancellationToken, Task> announce, CancellationToken cancellationToken)
    {
        var waiting = Take(atMost);
        if (waiting.Count == 0)
        {
            return 0;
        }
        try
        {
            await announce([.. waiting.Select(it => it.Outcome)], cancellationToken);
            await access.WriteAsync(
                database =>
                {
                    foreach (var (id, _) in waiting)
                    {
                        database.Run("UPDATE outbox SET announced_at = $2 WHERE id = $1", id, access.Now);
                    }
                },
                CancellationToken.None);
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

    public ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken) => ValueTask.FromResult(access.Read(
        database => runs.SelectMany(run => Read(database.Query(
            $"SELECT {Columns} FROM {Rows} WHERE o.thread_id = $1 AND o.run_id = $2 ORDER BY o.sequence DESC LIMIT 1", run.ThreadId, run.RunId)))
            .Select(it => it.Outcome).ToImmutableArray()));

    public ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken) => access.WriteAsync(
        database => database.Run(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE announced_at IS NOT NULL AND created_at < $1 ORDER BY created_at LIMIT $2)",
            (access.Time.GetUtcNow() - olderThan).ToUnixTimeMilliseconds(), atMost),
        cancellationToken);

    /// <summary>Reads within the lock: what another relay has announced meanwhile is then either still taken, or seen to be announced.</summary>
    private List<(long Id, Outcome Outcome)> Take(int atMost)
    {
        lock (_gate)
        {
            var waiting = access.Read(database => Read(database.Query(
                $"SELECT {Columns} FROM {Rows} WHERE o.announced_at IS NULL ORDER BY o.created_at, o.id LIMIT $1", (long)atMost + _taken.Count)));
            waiting = [.. waiting.Where(it => !_taken.Contains(it.Id)).Take(atMost)];
            _taken.UnionWith(waiting.Select(it => it.Id));
            return waiting;
        }
    }

    private List<(long Id, Outcome Outcome)> Read(SqliteDataReader rows)
    {
        using var row = rows;
        var now = access.Time.GetUtcNow();
        var outcomes = new List<(long, Outcome)>();
        while (row.Read())
        {
            var createdAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(7));
            outcomes.Add((row.GetInt64(0), new Outcome(
                new RunKey(row.GetString(1), row.GetString(2)), row.GetInt64(3), Enum.Parse<RunStatus>(row.GetString(4), ignoreCase: true),
                row.GetFieldValue<byte[]>(5), row.GetString(6), createdAt, now - createdAt, row.GetBoolean(8))));
        }
        return outcomes;
    }
}
