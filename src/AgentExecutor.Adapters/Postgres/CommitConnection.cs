namespace AgentExecutor.Adapters.Postgres;

/// <summary>The connection and the batch of a loop of the committer. The connection is opened again after it broke.</summary>
internal sealed class CommitConnection(PostgresAccess access) : IAsyncDisposable
{
    private PostgresConnection? _connection;

    /// <summary>Replaced together with the connection, because its commands remember what was prepared on that connection.</summary>
    public CommitBatch Batch { get; private set; } = new();

    /// <summary>False after the connection broke, while it was used or idle.</summary>
    public bool IsOpen => _connection is { IsOpen: true };

    public async ValueTask<PostgresConnection> OpenAsync()
    {
        if (!IsOpen)
        {
            await CloseAsync();
        }
        return _connection ??= await access.Source.OpenAsync(CancellationToken.None);
    }

    public async ValueTask CloseAsync()
    {
        if (_connection is { } connection)
        {
            _connection = null;
            Batch = new CommitBatch();
            await connection.DisposeAsync();
        }
    }

    public ValueTask DisposeAsync() => CloseAsync();
}
