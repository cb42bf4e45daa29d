using System.Net;
using System.Net.Sockets;

namespace AgentExecutor.Adapters.Egress;

/// <summary>
/// Connects only to public addresses. The address is checked after the name is resolved, and the checked address is the one that is used,
/// so a name that resolves differently the second time cannot bypass the check. Redirects are not followed: see
/// <see cref="RedirectHandler"/>.
/// </summary>
internal static class GuardedConnection
{
    public static SocketsHttpHandler Handler(bool allowPrivate) => Handler(_ => allowPrivate);

    /// <param name="allowPrivate">Decides whether the host of a request may have a private address.</param>
    public static SocketsHttpHandler Handler(Func<DnsEndPoint, bool> allowPrivate) =>
        new()
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = TimeSpan.FromSeconds(10),
            ConnectCallback = (context, cancellationToken) =>
                ConnectAsync(context.DnsEndPoint, allowPrivate(context.DnsEndPoint), cancellationToken),
        };

    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint endpoint, bool allowPrivate, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(endpoint.Host, cancellationToken);
        var allowed = allowPrivate ? addresses : Array.FindAll(addresses, PublicAddress.IsPublic);
        if (allowed.Length == 0)
        {
            throw new EgressException(
                $"'{endpoint.Host}' does not have a public address, and definitions are not allowed to access private networks here"
            );
        }
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, endpoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
