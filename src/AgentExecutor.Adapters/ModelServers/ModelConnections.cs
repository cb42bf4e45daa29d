using System.Collections.Concurrent;
using AgentExecutor.Adapters.Egress;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// The connection pools of one provider, one per level of trust: a server that a definition names never shares a pool with one of the
/// operator.
/// </summary>
internal sealed class ModelConnections(bool allowPrivate) : IDisposable
{
    private const int ConnectionsPerServer = 1024;

    private readonly ConcurrentDictionary<(ModelTrust Trust, bool IsLoopback), Lazy<SocketsHttpHandler>> _handlers = new();

    /// <summary>Returns the pool for calls to this endpoint. It stays open when its clients are closed.</summary>
    public HttpMessageHandler For(ModelEndpoint endpoint) =>
        _handlers
            .GetOrAdd(
                (endpoint.Trust, endpoint.BaseUrl.IsLoopback),
                key => new Lazy<SocketsHttpHandler>(() => Open(key.Trust, key.IsLoopback))
            )
            .Value;

    public void Dispose()
    {
        foreach (var handler in _handlers.Values.Where(handler => handler.IsValueCreated))
        {
            handler.Value.Dispose();
        }
    }

    /// <summary>
    /// Creates a pool. Redirects are not followed, because they would send the key elsewhere. The caller limits the duration of answers.
    /// </summary>
    private SocketsHttpHandler Open(ModelTrust trust, bool isLoopback)
    {
        var handler = GuardedConnection.Handler(allowPrivate || trust != ModelTrust.Untrusted);
        handler.MaxConnectionsPerServer = ConnectionsPerServer;
        handler.EnableMultipleHttp2Connections = true;
        if (trust == ModelTrust.Own)
        {
            // The operator's own server can be behind the operator's proxy.
            handler.ConnectCallback = null;
            handler.UseProxy = !isLoopback;
        }
        return handler;
    }
}
