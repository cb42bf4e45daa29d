using System.Runtime.CompilerServices;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Lists the newest run of each thread page by page. Each page starts after the last run of the previous one, so the cost depends only on
/// what is read.
/// </summary>
internal static class PostgresRunList
{
    private const int PageSize = 200;

    private const string NoRunWaits =
        "NOT EXISTS (SELECT FROM $schema.runs AS w WHERE w.thread_id = t.thread_id AND w.status = 'pending' AND w.is_queued)";

    private static readonly string[] AllStatuses = [.. Enum.GetValues<RunStatus>().Select(PostgresRows.Name)];

    public static async IAsyncEnumerable<Run> ReadAsync(
        PostgresAccess access,
        RunQuery query,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        Cursor? last = null;
        for (var left = query.Limit; left > 0; left -= PageSize)
        {
            var (size, after) = (Math.Min(left, PageSize), last);
            var page = await access.RunAsync((connection, cancel) => PageAsync(connection, query, after, size, cancel), cancellationToken);
            foreach (var (run, cursor) in page)
            {
                last = cursor;
                yield return run;
            }
            if (page.Count < size)
            {
                yield break;
            }
        }
    }

    /// <summary>
    /// Selects by status first, so that one index serves lists of one status and of all. Ended runs are few enough to be filtered
    /// afterwards.
    /// </summary>
    private static async Task<List<(Run Run, Cursor Cursor)>> PageAsync(
        PostgresConnection connection,
        RunQuery query,
        Cursor? after,
        int size,
        CancellationToken cancellationToken
    )
    {
        var time = query.FinishedBefore is null ? "created_at" : "finished_at";
        var behind = after is null ? "$4::timestamptz IS NULL AND $5::text IS NULL" : $"(t.{time}, t.thread_id) < ($4, $5)";
        var order = $"ORDER BY {time} DESC, thread_id DESC LIMIT $2 OFFSET $3";
        string[] statuses = query.Status is { } status ? [PostgresRows.Name(status)] : AllStatuses;
        var sql = query.FinishedBefore is null
            ? $"""
                SELECT {PostgresRows.RunColumns}, created_at AS listed_at
                FROM unnest($1::text[]) AS s (wanted)
                CROSS JOIN LATERAL (
                    SELECT * FROM $schema.threads AS t
                    WHERE t.status COLLATE "C" = s.wanted AND t.deletion_started_at IS NULL AND {behind}
                    ORDER BY created_at DESC, thread_id DESC LIMIT $2 + $3) AS t
                {order}
                """
            : $"""
                SELECT {PostgresRows.RunColumns}, finished_at AS listed_at
                FROM $schema.threads AS t
                WHERE finished_at < $6 AND status = ANY ($1) AND deletion_started_at IS NULL AND {NoRunWaits} AND {behind}
                {order}
                """;
        object?[] values = [statuses, (long)size, after is null ? (long)query.Skip : 0L, after?.Time, after?.ThreadId];
        await using var command = connection.With(sql, query.FinishedBefore is { } before ? [.. values, before.UtcDateTime] : values);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<(Run, Cursor)>();
        while (await row.ReadAsync(cancellationToken))
        {
            found.Add((PostgresRows.ReadRun(row), new Cursor(row.Time("listed_at"), row.Text("thread_id"))));
        }
        return found;
    }

    private sealed record Cursor(DateTime Time, string ThreadId);
}
