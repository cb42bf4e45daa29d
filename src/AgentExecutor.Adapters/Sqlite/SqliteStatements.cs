using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>The prepared statements of one connection, by their text.</summary>
internal sealed class SqliteStatements(SqliteConnection connection) : IDisposable
{
    private readonly Dictionary<string, PreparedStatement> _prepared = new(StringComparer.Ordinal);

    public SqliteConnection Connection => connection;

    /// <summary>Executes the statement and returns how many rows it changed. The values are <c>$1</c>, <c>$2</c> and so on.</summary>
    public int Run(string sql, params ReadOnlySpan<object?> values) => Bind(sql, values).Command.ExecuteNonQuery();

    /// <summary>Executes the statement for this row and returns how many rows it changed.</summary>
    public int Run<TRow>(SqliteStatement<TRow> statement, TRow row) => Bind(statement, row).Command.ExecuteNonQuery();

    /// <summary>Returns the first column of the first row, or null if there is no row.</summary>
    public object? Scalar(string sql, params ReadOnlySpan<object?> values) => Scalar(Bind(sql, values));

    /// <inheritdoc cref="Scalar(string, ReadOnlySpan{object?})"/>
    public object? Scalar<TRow>(SqliteStatement<TRow> statement, TRow row) => Scalar(Bind(statement, row));

    /// <summary>
    /// Returns the rows. The caller must read them to the end, or dispose the reader, before the statement is executed again.
    /// </summary>
    public SqliteRowReader Query(string sql, params ReadOnlySpan<object?> values)
    {
        var statement = Bind(sql, values);
        return new SqliteRowReader(statement.Command.ExecuteReader(), statement.Ordinals);
    }

    public void Dispose()
    {
        foreach (var statement in _prepared.Values)
        {
            statement.Command.Dispose();
        }
    }

    /// <summary>Converts a value to one that a parameter accepts.</summary>
    public static object ToValue(object? value) =>
        value switch
        {
            null => DBNull.Value,
            ReadOnlyMemory<byte> bytes => bytes.ToArray(),
            _ => value,
        };

    private static object? Scalar(PreparedStatement statement) =>
        statement.Command.ExecuteScalar() is { } value and not DBNull ? value : null;

    private PreparedStatement Bind(string sql, ReadOnlySpan<object?> values)
    {
        if (!_prepared.TryGetValue(sql, out var statement))
        {
            statement = Prepare(sql);
            for (var i = 1; i <= values.Length; i++)
            {
                statement.Command.Parameters.Add(new SqliteParameter { ParameterName = $"${i}" });
            }
        }
        for (var i = 0; i < values.Length; i++)
        {
            statement.Command.Parameters[i].Value = ToValue(values[i]);
        }
        return statement;
    }

    private PreparedStatement Bind<TRow>(SqliteStatement<TRow> statement, TRow row)
    {
        if (!_prepared.TryGetValue(statement.Sql, out var prepared))
        {
            prepared = Prepare(statement.Sql);
            statement.AddParameters(prepared.Command);
        }
        statement.Bind(prepared.Command, row);
        return prepared;
    }

    private PreparedStatement Prepare(string sql)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        return _prepared[sql] = new PreparedStatement(command, new Dictionary<string, int>(StringComparer.Ordinal));
    }

    /// <param name="Command">The command, with its parameters.</param>
    /// <param name="Ordinals">The ordinals of the columns of its result, which the first reader adds.</param>
    private sealed record PreparedStatement(SqliteCommand Command, Dictionary<string, int> Ordinals);
}
