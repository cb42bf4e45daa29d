using System.Buffers;
using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>
/// A client of one server for commands. It connects at the first call and then by itself for ever. Callers share one connection: what they send while a write is
/// under way goes out together with the next. Nothing is sent twice: what was under way when a connection is lost fails as transient.
/// </summary>
internal sealed class RedisConnection(RedisSettings settings, OutageLog outage, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private readonly RedisKeeper _keeper = new("commands", settings, message: null, outage, time, logger);

    public bool IsConnected => _keeper.Current is not null;

    /// <summary>Returns when connected, however many tries that takes.</summary>
    /// <exception cref="RedisException"><see cref="RedisFault.Closed"/>.</exception>
    public async Task ConnectedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await _keeper.LinkAsync(cancellationToken);
                return;
            }
            catch (RedisException fault) when (fault.Fault != RedisFault.Closed)
            {
                // The keeper has told of it and tries again.
            }
        }
    }

    /// <summary>One command and its answer.</summary>
    /// <exception cref="RedisException">The answer is an error, or none came.</exception>
    public async Task<RespValue> SendAsync(string[] command, CancellationToken cancellationToken)
    {
        var reply = new OneReply();
        await SendAsync(command, static (output, command) => RespWriter.Write(output, command), reply, cancellationToken);
        var value = await reply.Task.WaitAsync(cancellationToken);
        return value.IsError ? throw new RedisException(RedisFault.ServerError, $"the Redis server says to {command[0]}: {value.Text}") : value;
    }

    /// <summary>Many commands in one write; returns those that the server answered with an error, when it has answered all.</summary>
    /// <param name="encode">Writes <paramref name="count"/> commands. It runs under a lock: it must not wait or throw.</param>
    /// <exception cref="RedisException">The connection was lost first, or there was none.</exception>
    public async Task<IReadOnlyList<RespError>> SendAllAsync<T>(T commands, int count, Action<IBufferWriter<byte>, T> encode, CancellationToken cancellationToken)
    {
        if (count == 0)
        {
            return [];
        }
        var replies = new BatchReplies(count);
        await SendAsync(commands, encode, replies, cancellationToken);
        return await replies.Task.WaitAsync(cancellationToken);
    }

    public ValueTask DisposeAsync() => _keeper.DisposeAsync();

    private async ValueTask SendAsync<T>(T commands, Action<IBufferWriter<byte>, T> encode, RespReplies replies, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var link = await _keeper.LinkInTimeAsync(cancellationToken);
            if (link.TrySend(commands, encode, replies))
            {
                return;
            }
            await link.SpaceAsync(cancellationToken);
        }
    }
}
