using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Waits for notifications on a connection of its own. One that comes between two waits is kept by the connection; one that comes while it is broken is lost.</summary>
internal sealed class PostgresListener(PostgresAccess access, string channel)
{
    private NpgsqlConnection? _connection;

    /// <summary>Returns at a notification, and at once when the connection had to be made anew.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_connection is { State: System.Data.ConnectionState.Open } connection)
            {
                await connection.WaitAsync(cancellationToken);
            }
            else
            {
                await ConnectAsync(cancellationToken);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or InvalidOperationException || PostgresFaults.IsTransient(exception))
        {
            await DisconnectAsync();
            if (exception is OperationCanceledException)
            {
                throw;
            }
            access.Failed(exception);
            throw PostgresFaults.Unavailable(exception);
        }
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        await DisconnectAsync();
        var connection = await access.Source.OpenConnectionAsync(cancellationToken);
        _connection = connection;
        await connection.RunAsync($"LISTEN {channel}", [], cancellationToken);
    }

    private async Task DisconnectAsync()
    {
        if (_connection is { } connection)
        {
            _connection = null;
            await connection.DisposeAsync();
        }
    }
}
