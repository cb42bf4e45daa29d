using System.Net;
using System.Net.Sockets;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// Connects only to public addresses. The address is judged after the name is resolved and is the one that is used, so a name that resolves to
/// something else the second time gains nothing; redirects are not followed.
/// </summary>
internal static class GuardedConnection
{
    public static SocketsHttpHandler Handler(bool allowPrivate) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        ConnectTimeout = TimeSpan.FromSeconds(10),
        ConnectCallback = (context, cancellationToken) => ConnectAsync(context.DnsEndPoint, allowPrivate, cancellationToken),
    };

    public static bool IsPublic(IPAddress address)
    {
        var ip = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (IPAddress.IsLoopback(ip))
        {
            return false;
        }
        if (ip.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return !(ip.IsIPv6LinkLocal || ip.IsIPv6SiteLocal || ip.IsIPv6UniqueLocal || ip.IsIPv6Multicast || ip.Equals(IPAddress.IPv6Any));
        }
        var octets = ip.GetAddressBytes();
        return octets switch
        {
            [0 or 10 or 127, ..] => false,
            [100, >= 64 and <= 127, ..] => false, // shared address space (RFC 6598)
            [169, 254, ..] => false, // link-local, where clouds keep their metadata
            [172, >= 16 and <= 31, ..] => false,
            [192, 168, ..] or [192, 0, 0, _] => false,
            [198, 18 or 19, ..] => false, // benchmarking (RFC 2544)
            [>= 224, ..] => false, // multicast and reserved
            _ => true,
        };
    }

    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint endpoint, bool allowPrivate, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(endpoint.Host, cancellationToken);
        var allowed = allowPrivate ? addresses : Array.FindAll(addresses, IsPublic);
        if (allowed.Length == 0)
        {
            throw new PrivateAddressException($"'{endpoint.Host}' is not a public address, and definitions may not reach private networks here");
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

/// <summary>The address is one that a definition may not name here.</summary>
internal sealed class PrivateAddressException(string message) : HttpRequestException(message);
