using System.Runtime.CompilerServices;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// Lists the newest run of each thread page by page. Each page starts after the last run of the previous one, so the cost depends only on
/// what is read.
/// </summary>
internal static class SqliteRunList
{
    private const int PageSize = 200;

    private const string IsNewest =
        $"run_id = (SELECT run_id FROM runs AS n WHERE n.thread_id = r.thread_id {SqliteRows.NewestFirst} LIMIT 1)";

    private const string NoRunWaits =
        "NOT EXISTS (SELECT 1 FROM runs AS w WHERE w.thread_id = r.thread_id AND w.status = 'pending' AND w.job IS NOT NULL)";

    public static async IAsyncEnumerable<Run> ReadAsync(
        SqliteAccess access,
        RunQuery query,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        Cursor? last = null;
        for (var left = query.Limit; left > 0; left -= PageSize)
        {
            var (size, after) = (Math.Min(left, PageSize), last);
            var page = access.Read(database => Page(database, query, after, size));
            foreach (var (run, cursor) in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                last = cursor;
                yield return run;
            }
            if (page.Count < size)
            {
                break;
            }
        }
        await ValueTask.CompletedTask;
    }

    private static List<(Run Run, Cursor Cursor)> Page(SqliteStatements database, RunQuery query, Cursor? after, int size)
    {
        var time = query.FinishedBefore is null ? "created_at" : "finished_at";
        var behind = after is null ? "$4 IS NULL AND $5 IS NULL" : $"({time}, thread_id) < ($4, $5)";
        var isEnded = query.FinishedBefore is null ? "$6 IS NULL" : $"finished_at < $6 AND {NoRunWaits}";
        using var row = database.Query(
            $"""
            SELECT {SqliteRows.RunColumns}, {time} AS listed_at
            FROM runs AS r
            WHERE ($1 IS NULL OR status = $1) AND {behind} AND {IsNewest} AND {isEnded}
            ORDER BY {time} DESC, thread_id DESC LIMIT $2 OFFSET $3
            """,
            query.Status is { } status ? SqliteRows.Name(status) : null,
            size,
            after is null ? query.Skip : 0,
            after?.Time,
            after?.ThreadId,
            query.FinishedBefore is { } before ? SqliteRows.WriteTime(before) : null
        );
        var found = new List<(Run, Cursor)>();
        while (row.Read())
        {
            found.Add((SqliteRows.ReadRun(row), new Cursor(row.Text("listed_at"), row.Text("thread_id"))));
        }
        return found;
    }

    private sealed record Cursor(string Time, string ThreadId);
}
