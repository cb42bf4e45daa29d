using System.Collections.Concurrent;
using AgentExecutor.Adapters.Http;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>The pools of connections of one provider, one for each level of trust: a server of a definition's never shares one with the operator's.</summary>
internal sealed class ModelConnections(bool allowPrivate) : IDisposable
{
    private const int ConnectionsPerServer = 1024;

    private readonly ConcurrentDictionary<(ModelTrust Trust, bool IsLoopback), Lazy<SocketsHttpHandler>> _handlers = new();

    /// <summary>The pool for calls of this endpoint. It stays open when a client of it is closed.</summary>
    public HttpMessageHandler For(ModelEndpoint endpoint) =>
        _handlers.GetOrAdd((endpoint.Trust, endpoint.BaseUrl.IsLoopback), key => new Lazy<SocketsHttpHandler>(() => Open(key.Trust, key.IsLoopback))).Value;

    public void Dispose()
    {
        foreach (var handler in _handlers.Values.Where(handler => handler.IsValueCreated))
        {
            handler.Value.Dispose();
        }
    }

    /// <summary>No redirects: they would carry the key elsewhere. How long an answer may take is the caller's to say.</summary>
    private SocketsHttpHandler Open(ModelTrust trust, bool isLoopback)
    {
        var handler = GuardedConnection.Handler(allowPrivate || trust != ModelTrust.Stranger);
        handler.MaxConnectionsPerServer = ConnectionsPerServer;
        handler.EnableMultipleHttp2Connections = true;
        if (trust == ModelTrust.Own)
        {
            handler.ConnectCallback = null; // the operator's own server, behind the operator's own proxy
            handler.UseProxy = !isLoopback;
        }
        return handler;
    }
}
