namespace AgentExecutor.Adapters.Sqlite;

/// <summary>The columns of a thread's newest run that decide whether a commit is allowed.</summary>
internal sealed record NewestRun(
    string RunId,
    long Fence,
    string Status,
    long LastSequence,
    string Holder,
    bool IsHeld,
    long LeaseUntil,
    bool IsQueued,
    bool IsCancelRequested
)
{
    private const string Sql = $"""
        SELECT run_id, fence, status, last_sequence, holder, is_held, coalesce(lease_until, 0) AS lease_until,
            job IS NOT NULL AS is_queued, cancel_requested
        FROM runs
        WHERE thread_id = $1
        {SqliteRows.NewestFirst} LIMIT 1
        """;

    /// <summary>Returns null if the thread has no run.</summary>
    public static NewestRun? Find(SqliteStatements database, string threadId)
    {
        using var row = database.Query(Sql, threadId);
        return row.Read()
            ? new NewestRun(
                row.Text("run_id"),
                row.Number("fence"),
                row.Text("status"),
                row.Number("last_sequence"),
                row.Text("holder"),
                row.Flag("is_held"),
                row.Number("lease_until"),
                row.Flag("is_queued"),
                row.Flag("cancel_requested")
            )
            : null;
    }
}
