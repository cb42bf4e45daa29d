namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// The open transaction of the current asynchronous flow. Statements of other components on the same database join it instead of waiting
/// for a second connection: a pooler may have only one connection, and while the transaction holds it, the wait would never end.
/// </summary>
internal sealed class PostgresTransactionScope : IDisposable
{
    private static readonly AsyncLocal<PostgresTransactionScope?> Current = new();

    private readonly PostgresSource _source;
    private readonly PostgresConnection _connection;

    /// <param name="source">The source of the connection.</param>
    /// <param name="connection">A connection with an open transaction. The caller keeps it.</param>
    public PostgresTransactionScope(PostgresSource source, PostgresConnection connection)
    {
        (_source, _connection) = (source, connection);
        Current.Value = this;
    }

    /// <summary>Returns the connection whose transaction statements for this database must join, or null if none is open.</summary>
    public static PostgresConnection? Find(PostgresSource source) =>
        Current.Value is { } scope && scope._source.IsSameSchema(source) ? scope._connection : null;

    public void Dispose() => Current.Value = null;
}
