using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>A statement of a <see cref="CommitBatch"/> and its rows, each made from a <typeparamref name="TRow"/> by the columns.</summary>
internal abstract class RowSet<TRow> : RowTable<TRow>, IRowSet
{
    /// <summary>A row that exists is not changed.</summary>
    protected const string KeepExisting = "ON CONFLICT DO NOTHING";

    private int _count;

    /// <param name="sql">
    /// The statement: <c>$values</c> stands for its parameters, and <c>$columns</c> for the names of the columns in the same order.
    /// </param>
    /// <param name="onConflict">Is appended to the statement if some of the rows may exist.</param>
    /// <param name="columns">The name and the value of each column.</param>
    protected RowSet(string sql, string onConflict, params RowColumn<TRow>[] columns)
        : base(columns)
    {
        var text = sql.Replace("$values", Numbers(1), StringComparison.Ordinal).Replace("$columns", Names, StringComparison.Ordinal);
        First = Command(text);
        Again = onConflict.Length == 0 ? First : Command($"{text}\n{onConflict}");
    }

    public NpgsqlBatchCommand First { get; }

    public NpgsqlBatchCommand Again { get; }

    public bool IsEmpty => _count == 0;

    public void Add(TRow row)
    {
        foreach (var column in Columns)
        {
            column.Add(row);
        }
        _count++;
    }

    public void Clear()
    {
        foreach (var column in Columns)
        {
            column.Clear();
        }
        _count = 0;
    }

    private NpgsqlBatchCommand Command(string text)
    {
        var command = new NpgsqlBatchCommand(text);
        foreach (var column in Columns)
        {
            command.Parameters.Add(column.Parameter());
        }
        return command;
    }
}
