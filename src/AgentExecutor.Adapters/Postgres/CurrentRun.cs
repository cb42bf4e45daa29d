using AgentExecutor.Core.Runs;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// A submitted run in its current state: that of its thread while the thread executes it, and otherwise that of its own row.
/// </summary>
/// <param name="Run">The run.</param>
/// <param name="RequestHash">The hash of the submission that stored the run.</param>
internal readonly record struct CurrentRun(Run Run, string RequestHash)
{
    private const string Sql = """
        SELECT r.thread_id, r.run_id, coalesce(t.fence, 0) AS fence, coalesce(t.status, r.status) AS status,
            r.name, r.trace_id, r.definition_hash, coalesce(t.attempt, 0) AS attempt,
            coalesce(t.last_sequence, 0) AS last_sequence, r.created_at, coalesce(t.updated_at, r.updated_at) AS updated_at,
            coalesce(t.usage, r.usage) AS usage, coalesce(t.failure, r.failure) AS failure, r.request_hash
        FROM $schema.runs AS r
        LEFT JOIN $schema.threads AS t ON t.thread_id = r.thread_id AND t.run_id = r.run_id
        WHERE r.thread_id = $1 AND r.run_id = $2
        """;

    /// <summary>Returns the run, or null if it was never submitted.</summary>
    public static async Task<CurrentRun?> FindAsync(
        PostgresConnection connection,
        string threadId,
        string runId,
        CancellationToken cancellationToken
    )
    {
        await using var command = connection.With(Sql, threadId, runId);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? Read(row) : null;
    }

    private static CurrentRun Read(NpgsqlDataReader row) => new(PostgresRows.ReadRun(row), row.Text("request_hash"));
}
