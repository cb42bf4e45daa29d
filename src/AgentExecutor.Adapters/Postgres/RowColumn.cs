using Npgsql;
using NpgsqlTypes;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// A column of rows that a statement takes as parameters. A <see cref="RowSet{TRow}"/> collects the values of its rows in the column, whose
/// list is reused for each execution of its statements.
/// </summary>
internal abstract class RowColumn<TRow>(string name)
{
    /// <summary>The name of the column in the statement.</summary>
    public string Name => name;

    public abstract void Add(TRow row);

    public abstract void Clear();

    /// <summary>Returns a parameter whose value is the list of the collected values, as it is when the statement is sent.</summary>
    public abstract NpgsqlParameter Parameter();

    /// <summary>Returns a parameter with the values of these rows.</summary>
    public abstract NpgsqlParameter Parameter(IEnumerable<TRow> rows);
}

/// <param name="name">The name of the column in the statement.</param>
/// <param name="element">The type of its values.</param>
/// <param name="value">Gives the value for a row.</param>
internal sealed class RowColumn<TRow, T>(string name, NpgsqlDbType element, Func<TRow, T> value) : RowColumn<TRow>(name)
{
    private readonly List<T> _values = [];

    public override void Add(TRow row) => _values.Add(value(row));

    public override void Clear() => _values.Clear();

    public override NpgsqlParameter Parameter() => Parameter(_values);

    public override NpgsqlParameter Parameter(IEnumerable<TRow> rows) => Parameter(rows.Select(value).ToList());

    private NpgsqlParameter<List<T>> Parameter(List<T> values) =>
        new() { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | element };
}
