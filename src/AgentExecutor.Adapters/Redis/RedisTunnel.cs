using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using AgentExecutor.Adapters.Connections;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Opens the sockets of one multiplexer, with TLS if the endpoint requires it. Doing this here instead of in the library keeps the reason
/// of a failed attempt, which the library does not report reliably, and lets <see cref="WatchedStream"/> observe when data arrives.
/// </summary>
/// <param name="endpoint">The server.</param>
/// <param name="settings">The timeouts and the certificate authorities.</param>
/// <param name="isDelivered">Returns true if all received messages were passed on. Null if the connection receives no messages.</param>
/// <param name="time">The source of time.</param>
internal sealed class RedisTunnel(RedisEndpoint endpoint, RedisSettings settings, Func<bool>? isDelivered, TimeProvider time)
    : Tunnel,
        IDisposable
{
    private readonly CancellationTokenSource _closing = new();
    private ImmutableArray<WatchedStream> _streams = [];
    private Stream? _first;
    private bool _isDisposed;

    /// <summary>The streams that are open: one for commands and, if there are subscriptions, one for these.</summary>
    public ImmutableArray<WatchedStream> Streams => _streams;

    /// <summary>Completes when a connection could not be opened, with the reason.</summary>
    public TaskCompletionSource<RedisFaultException> Failure { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Opens the connection that the library uses first. If the server cannot be reached, the reason is known at once here, while the
    /// library may wait until its timeout before it reports it. By then the server may be available again.
    /// </summary>
    /// <exception cref="RedisFaultException">The server cannot be reached.</exception>
    public async Task OpenFirstAsync()
    {
        try
        {
            _first = await OpenAsync();
        }
        catch (Exception exception) when (exception is not RedisFaultException)
        {
            throw FaultOf(exception);
        }
    }

    /// <summary>
    /// Returns no endpoint, so that the library creates no socket and uses the stream of <see cref="BeforeAuthenticateAsync"/>.
    /// </summary>
    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) =>
        ValueTask.FromResult<EndPoint?>(null);

    public override async ValueTask<Stream?> BeforeAuthenticateAsync(
        EndPoint endpoint,
        ConnectionType connectionType,
        Socket? socket,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var stream = new WatchedStream(Interlocked.Exchange(ref _first, null) ?? await OpenAsync(), connectionType, isDelivered, time);
            ImmutableInterlocked.Update(ref _streams, static (streams, added) => streams.Add(added), stream);
            return stream;
        }
        catch (Exception exception)
        {
            Failure.TrySetResult(exception as RedisFaultException ?? FaultOf(exception));
            throw;
        }
    }

    /// <summary>Closes all streams. Further attempts to connect fail, because a multiplexer that lost a connection is replaced.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, true))
        {
            return;
        }
        _closing.Cancel();
        Interlocked.Exchange(ref _first, null)?.Dispose();
        foreach (var stream in _streams)
        {
            stream.Dispose();
        }
        _closing.Dispose();
    }

    private async Task<Stream> OpenAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds), time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _closing.Token);
        var stream = await ConnectAsync(both.Token);
        return endpoint.IsTls ? await ClientTls.UpgradeAsync(stream, endpoint.Host, settings.TlsCa, UnreadableCa, both.Token) : stream;
    }

    private async Task<Stream> ConnectAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endpoint.Host, endpoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private RedisFaultException FaultOf(Exception exception) =>
        exception switch
        {
            OperationCanceledException => new RedisFaultException(RedisFault.Unreachable, $"{endpoint} did not respond in time"),
            AuthenticationException => new RedisFaultException(
                RedisFault.TlsFailed,
                $"the TLS handshake with {endpoint} failed: {exception.InnerException?.Message ?? exception.Message}",
                exception
            ),
            _ => new RedisFaultException(RedisFault.Unreachable, $"{endpoint} cannot be reached: {exception.Message}", exception),
        };

    private static RedisFaultException UnreadableCa(Exception exception) =>
        new(RedisFault.InvalidSettings, $"the file of AGENT_EXECUTOR_REDIS_TLS_CA cannot be read: {exception.Message}", exception);
}
