using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Checks on a new connection whether it leads to the server itself.</summary>
internal static class PoolerProbe
{
    /// <summary>Returns the sign of a pooler, or null if there is none.</summary>
    public static async Task<string?> FindAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT pg_backend_pid() AS process_id, current_setting('plan_cache_mode') AS plan_cache_mode",
            connection
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return row.Text("plan_cache_mode") != PostgresConnections.PlanCacheMode ? "start-up parameters have no effect"
            : row.Integer("process_id") != connection.ProcessID ? "the server's process is not the one that the connection names"
            : null;
    }
}
