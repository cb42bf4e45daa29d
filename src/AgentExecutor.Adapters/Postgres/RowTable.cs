using Npgsql;
using NpgsqlTypes;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Rows that a statement takes as parameters, with one array for each column. Each column states its name, its type and its value for a
/// row.
/// </summary>
internal abstract class RowTable<TRow>(params RowColumn<TRow>[] columns)
{
    /// <summary>The columns, in the order of their parameters.</summary>
    protected RowColumn<TRow>[] Columns => columns;

    /// <summary>The names of the columns, separated by commas.</summary>
    protected string Names { get; } = string.Join(", ", columns.Select(column => column.Name));

    /// <summary>Returns the rows as an item of the FROM clause of a statement.</summary>
    /// <param name="alias">The name of the rows in the statement.</param>
    /// <param name="first">The number of the first parameter. The parameters of the other columns follow it.</param>
    public string As(string alias, int first = 1) => $"unnest({Numbers(first)}) AS {alias} ({Names})";

    /// <summary>Returns the parameters for these rows.</summary>
    public IEnumerable<NpgsqlParameter> Parameters(IReadOnlyCollection<TRow> rows) => columns.Select(column => column.Parameter(rows));

    /// <summary>Returns the numbers of the parameters, separated by commas.</summary>
    protected string Numbers(int first) => string.Join(", ", columns.Select((_, index) => $"${first + index}"));

    protected static RowColumn<TRow> Text(string name, Func<TRow, string?> value) => Column(name, NpgsqlDbType.Text, value);

    protected static RowColumn<TRow> Number(string name, Func<TRow, long> value) => Column(name, NpgsqlDbType.Bigint, value);

    protected static RowColumn<TRow> Integer(string name, Func<TRow, int> value) => Column(name, NpgsqlDbType.Integer, value);

    protected static RowColumn<TRow> OptionalInteger(string name, Func<TRow, int?> value) => Column(name, NpgsqlDbType.Integer, value);

    protected static RowColumn<TRow> SmallInteger(string name, Func<TRow, short> value) => Column(name, NpgsqlDbType.Smallint, value);

    protected static RowColumn<TRow> Double(string name, Func<TRow, double?> value) => Column(name, NpgsqlDbType.Double, value);

    protected static RowColumn<TRow> Flag(string name, Func<TRow, bool> value) => Column(name, NpgsqlDbType.Boolean, value);

    protected static RowColumn<TRow> OptionalFlag(string name, Func<TRow, bool?> value) => Column(name, NpgsqlDbType.Boolean, value);

    protected static RowColumn<TRow> Time(string name, Func<TRow, DateTimeOffset> value) =>
        Column(name, NpgsqlDbType.TimestampTz, row => value(row).UtcDateTime);

    protected static RowColumn<TRow> OptionalTime(string name, Func<TRow, DateTimeOffset?> value) =>
        Column(name, NpgsqlDbType.TimestampTz, row => value(row)?.UtcDateTime);

    protected static RowColumn<TRow> Bytes(string name, Func<TRow, ReadOnlyMemory<byte>> value) => Column(name, NpgsqlDbType.Bytea, value);

    protected static RowColumn<TRow> OptionalBytes(string name, Func<TRow, byte[]?> value) => Column(name, NpgsqlDbType.Bytea, value);

    protected static RowColumn<TRow> Json(string name, Func<TRow, byte[]> value) => Column(name, NpgsqlDbType.Jsonb, value);

    private static RowColumn<TRow, T> Column<T>(string name, NpgsqlDbType element, Func<TRow, T> value) => new(name, element, value);
}
