using System.Collections.Immutable;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Publishes the messages that leave with steps, in the same way as <see cref="SqliteOutbox"/> publishes outcomes.</summary>
internal sealed class SqliteNotices(SqliteAccess access)
{
    private const string Unpublished = """
        SELECT n.id, n.thread_id, n.run_id, n.notice_id, n.type, n.subject, n.json, n.created_at,
            coalesce(j.trace_parent, '') AS trace_parent
        FROM notices AS n
        LEFT JOIN runs AS r ON r.thread_id = n.thread_id AND r.run_id = n.run_id
        LEFT JOIN jobs AS j ON j.id = r.job
        WHERE n.announced_at IS NULL
        ORDER BY n.created_at, n.id LIMIT $1
        """;

    private const string DropPublished = """
        DELETE FROM notices WHERE id IN (
            SELECT id FROM notices
            WHERE announced_at IS NOT NULL AND created_at < $1
            ORDER BY created_at LIMIT $2)
        """;

    private readonly Lock _gate = new();

    // The ids of the rows that relays are publishing.
    private readonly HashSet<long> _taken = [];

    public async ValueTask<int> RelayAsync(
        int atMost,
        Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
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
            await publish([.. waiting.Select(it => it.Notice)], cancellationToken);
            await access.WriteAsync(
                database =>
                {
                    foreach (var (id, _) in waiting)
                    {
                        database.Run("UPDATE notices SET announced_at = $2 WHERE id = $1", id, access.Now);
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

    public static void Drop(SqliteStatements database, long before, int atMost) => database.Run(DropPublished, before, atMost);

    private List<(long Id, Notice Notice)> Take(int atMost)
    {
        lock (_gate)
        {
            var waiting = access.Read(database => Read(database.Query(Unpublished, (long)atMost + _taken.Count)));
            waiting = [.. waiting.Where(it => !_taken.Contains(it.Id)).Take(atMost)];
            _taken.UnionWith(waiting.Select(it => it.Id));
            return waiting;
        }
    }

    private List<(long Id, Notice Notice)> Read(SqliteRowReader rows)
    {
        using var row = rows;
        var now = access.UtcNow;
        var notices = new List<(long, Notice)>();
        while (row.Read())
        {
            var createdAt = row.UnixTime("created_at");
            var notice = new Notice(
                new RunKey(row.Text("thread_id"), row.Text("run_id")),
                row.Text("notice_id"),
                row.Text("type"),
                row.Text("subject"),
                row.Bytes("json"),
                row.Text("trace_parent"),
                createdAt,
                now - createdAt
            );
            notices.Add((row.Number("id"), notice));
        }
        return notices;
    }
}
