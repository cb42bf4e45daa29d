using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>A statement whose parameters are the columns of a row. Each states its name and its value for a row.</summary>
internal sealed class SqliteStatement<TRow>
{
    private readonly SqliteColumn<TRow>[] _columns;

    /// <param name="sql">
    /// The statement. It refers to a parameter as <c>$name</c>. <c>$columns</c> stands for the names of all columns, and <c>$values</c> for
    /// their parameters in the same order.
    /// </param>
    /// <param name="columns">The name and the value of each column.</param>
    public SqliteStatement(string sql, params SqliteColumn<TRow>[] columns)
    {
        _columns = columns;
        Sql = sql.Replace("$columns", string.Join(", ", columns.Select(column => column.Name)), StringComparison.Ordinal)
            .Replace("$values", string.Join(", ", columns.Select(column => $"${column.Name}")), StringComparison.Ordinal);
    }

    public string Sql { get; }

    public void AddParameters(SqliteCommand command)
    {
        foreach (var column in _columns)
        {
            command.Parameters.Add(new SqliteParameter { ParameterName = $"${column.Name}" });
        }
    }

    public void Bind(SqliteCommand command, TRow row)
    {
        for (var i = 0; i < _columns.Length; i++)
        {
            command.Parameters[i].Value = SqliteStatements.ToValue(_columns[i].Value(row));
        }
    }
}

/// <param name="Name">The name of the column, and of its parameter after <c>$</c>.</param>
/// <param name="Value">Gives the value for a row.</param>
internal readonly record struct SqliteColumn<TRow>(string Name, Func<TRow, object?> Value);
