using System.Collections;
using Npgsql;
using NpgsqlTypes;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Rows for one statement, a list a column. The lists are the parameters themselves, and are used again for batch after batch.</summary>
internal abstract class RowSet
{
    /// <summary>A row that is there already stays as it is.</summary>
    protected const string OldStays = "ON CONFLICT DO NOTHING";

    private readonly List<IList> _columns = [];

    /// <param name="sql">Takes one array a column, in the order in which the columns are made.</param>
    /// <param name="unlessThere">What follows it where some of the rows may be there already: a batch that was sent before.</param>
    protected RowSet(string sql, string unlessThere = "")
    {
        First = new NpgsqlBatchCommand(sql);
        Again = unlessThere.Length == 0 ? First : new NpgsqlBatchCommand($"{sql}\n{unlessThere}");
    }

    /// <summary>The statement for rows that are new, which spares looking for each before it is inserted.</summary>
    public NpgsqlBatchCommand First { get; }

    /// <summary>The statement for rows that may be there.</summary>
    public NpgsqlBatchCommand Again { get; }

    public bool IsEmpty => _columns[0].Count == 0;

    public void Clear()
    {
        foreach (var column in _columns)
        {
            column.Clear();
        }
    }

    protected List<T> Column<T>(NpgsqlDbType element)
    {
        var column = new List<T>();
        _columns.Add(column);
        First.Parameters.Add(Parameter());
        if (Again != First)
        {
            Again.Parameters.Add(Parameter());
        }
        return column;
        NpgsqlParameter Parameter() => new NpgsqlParameter<List<T>> { TypedValue = column, NpgsqlDbType = NpgsqlDbType.Array | element };
    }

    protected List<string> Text() => Column<string>(NpgsqlDbType.Text);

    protected List<string?> OptionalText() => Column<string?>(NpgsqlDbType.Text);

    protected List<long> Number() => Column<long>(NpgsqlDbType.Bigint);

    protected List<int> Integer() => Column<int>(NpgsqlDbType.Integer);

    protected List<DateTime> Time() => Column<DateTime>(NpgsqlDbType.TimestampTz);

    protected List<ReadOnlyMemory<byte>> Bytes() => Column<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea);

    protected List<byte[]> Json() => Column<byte[]>(NpgsqlDbType.Jsonb);
}
