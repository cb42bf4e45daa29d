using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Executes commands on one server. It connects when the first command is executed, and reconnects until it is disposed. No command is sent
/// twice: commands in flight fail with a transient fault when the connection is lost.
/// </summary>
internal sealed class RedisConnection(RedisSettings settings, OutageLog outage, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private readonly RedisKeeper _keeper = new("commands", settings, isDelivered: null, outage, time, logger);

    public bool IsConnected => _keeper.Current is not null;

    /// <summary>Returns when the connection is established, however many attempts that takes.</summary>
    /// <exception cref="RedisFaultException"><see cref="RedisFault.Closed"/>.</exception>
    public async Task ConnectedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await _keeper.LinkAsync(cancellationToken);
                return;
            }
            catch (RedisFaultException fault) when (fault.Fault != RedisFault.Closed)
            {
                // The keeper has logged it and will try again.
            }
        }
    }

    /// <summary>Executes one command.</summary>
    /// <exception cref="RedisFaultException">The server replied with an error, or the connection was lost.</exception>
    public async Task<T> SendAsync<T>(Func<IDatabase, Task<T>> command, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var link = await _keeper.LinkInTimeAsync(cancellationToken);
        try
        {
            var reply = command(link.Database);
            await EndOfAsync(reply, link, cancellationToken);
            return await reply;
        }
        catch (Exception exception) when (IsOfRedis(exception, cancellationToken))
        {
            throw link.FaultOf(exception);
        }
    }

    /// <summary>Executes many commands with one write. Returns when the server has replied to all of them.</summary>
    /// <param name="queue">Queues the commands and returns the task of each.</param>
    /// <returns>The commands to which the server replied with an error.</returns>
    /// <exception cref="RedisFaultException">The connection was lost, or there was none.</exception>
    public async Task<IReadOnlyList<RedisCommandError>> SendAllAsync(
        Func<IDatabaseAsync, IReadOnlyList<Task>> queue,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        var link = await _keeper.LinkInTimeAsync(cancellationToken);
        try
        {
            var batch = link.Database.CreateBatch();
            var commands = queue(batch);
            batch.Execute();
            await EndOfAsync(Task.WhenAll(commands), link, cancellationToken);
            return ErrorsOf(commands, link);
        }
        catch (Exception exception) when (IsOfRedis(exception, cancellationToken))
        {
            throw link.FaultOf(exception);
        }
    }

    public ValueTask DisposeAsync() => _keeper.DisposeAsync();

    /// <summary>
    /// Returns when the commands have ended, or when the link has. The library forgets a command that is queued at the moment when it
    /// closes its connection: such a command never ends.
    /// </summary>
    /// <exception cref="RedisFaultException">The link ended first.</exception>
    private static async Task EndOfAsync(Task commands, RedisLink link, CancellationToken cancellationToken)
    {
        if (await Task.WhenAny(commands, link.Completion).WaitAsync(cancellationToken) != commands)
        {
            throw (await link.Completion).Again();
        }
    }

    /// <summary>
    /// Returns true if Redis or the library caused the exception. The library cancels commands in flight when it is closed.
    /// </summary>
    private static bool IsOfRedis(Exception exception, CancellationToken cancellationToken) =>
        exception is RedisException or RedisCommandException or RedisTimeoutException or ObjectDisposedException
        || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    private static List<RedisCommandError> ErrorsOf(IReadOnlyList<Task> commands, RedisLink link)
    {
        var errors = new List<RedisCommandError>();
        for (var index = 0; index < commands.Count; index++)
        {
            if (commands[index].IsCompletedSuccessfully)
            {
                continue;
            }
            var exception = commands[index].Exception?.InnerException ?? new TaskCanceledException(commands[index]);
            if (exception is not RedisServerException)
            {
                throw link.FaultOf(exception);
            }
            link.EndIfReplica(exception.Message);
            errors.Add(new RedisCommandError(index, exception.Message));
        }
        return errors;
    }
}

/// <summary>The error that the server replied with to one command of a batch.</summary>
/// <param name="Index">The command's position in its batch.</param>
internal readonly record struct RedisCommandError(int Index, string Text);
