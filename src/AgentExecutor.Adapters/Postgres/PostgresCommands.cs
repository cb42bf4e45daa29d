using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Creates statements with numbered parameters.</summary>
internal static class PostgresCommands
{
    /// <param name="sql">The statement.</param>
    /// <param name="values">
    /// The values of its parameters. The columns of a <see cref="RowTable{TRow}"/> are parameters already, with their types.
    /// </param>
    public static NpgsqlBatchCommand BatchCommand(string sql, params ReadOnlySpan<object?> values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value ?? DBNull.Value });
        }
        return command;
    }
}
