using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Waits for notifications on a connection of its own. The connection keeps a notification that arrives between two waits, but one that
/// arrives while it is broken is lost. Behind a pooler there are no notifications, so a wait ends after a short time, and its caller polls.
/// </summary>
/// <param name="access">Opens the connection.</param>
/// <param name="channel">The name of the channel without the prefix of the schema.</param>
internal sealed class PostgresListener(PostgresAccess access, string channel)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    private PostgresConnection? _connection;

    /// <summary>Returns at a notification, after a short time behind a pooler, and at once when the connection was opened again.</summary>
    /// <exception cref="FaultException">The server cannot be reached (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_connection is { IsOpen: true } connection)
            {
                await connection.WaitAsync(cancellationToken);
            }
            else if (!await TryConnectAsync(cancellationToken))
            {
                await Task.Delay(Poll, access.Time, cancellationToken);
            }
        }
        catch (Exception exception)
            when (exception is OperationCanceledException or InvalidOperationException || PostgresFaults.IsTransient(exception))
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

    /// <summary>Connects and listens. Returns false if there is a pooler, which delivers no notifications.</summary>
    private async Task<bool> TryConnectAsync(CancellationToken cancellationToken)
    {
        await DisconnectAsync();
        if (access.Source.IsPooled)
        {
            return false;
        }
        var connection = await access.Source.OpenAsync(cancellationToken);
        if (connection.IsPooled)
        {
            await connection.DisposeAsync();
            return false;
        }
        _connection = connection;
        await connection.RunAsync($"LISTEN $schema_{channel}", [], cancellationToken);
        return true;
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
