using System.Net;
using System.Net.Sockets;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// Connects only to public addresses. The address is checked after the name is resolved, and the checked address is the one that is used,
/// so a name that resolves differently the second time cannot bypass the check. Redirects are not followed.
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

    /// <summary>
    /// Returns true if an address is on the public internet. An IPv6 address that represents an IPv4 address is treated like it.
    /// </summary>
    public static bool IsPublic(IPAddress address)
    {
        var ip = EmbeddedIPv4(address) ?? address;
        if (IPAddress.IsLoopback(ip))
        {
            return false;
        }
        if (ip.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return !(
                ip.IsIPv6LinkLocal
                || ip.IsIPv6SiteLocal
                || ip.IsIPv6UniqueLocal
                || ip.IsIPv6Multicast
                || ip.IsIPv6Teredo
                || ip.Equals(IPAddress.IPv6Any)
            );
        }
        var octets = ip.GetAddressBytes();
        return octets switch
        {
            [0 or 10 or 127, ..] => false,
            [100, >= 64 and <= 127, ..] => false, // shared address space (RFC 6598)
            [169, 254, ..] => false, // link-local, where cloud providers serve instance metadata
            [172, >= 16 and <= 31, ..] => false,
            [192, 168, ..] or [192, 0, 0, _] => false,
            [198, 18 or 19, ..] => false, // benchmarking (RFC 2544)
            [>= 224, ..] => false, // multicast and reserved
            _ => true,
        };
    }

    /// <summary>
    /// Returns the IPv4 address that a gateway or the host itself would connect to instead of an IPv6 address: mapped (RFC 4291),
    /// translated by NAT64 (RFC 6052, RFC 8215), or tunnelled by 6to4 (RFC 3056). Returns null for all other addresses.
    /// </summary>
    private static IPAddress? EmbeddedIPv4(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return null;
        }
        var octets = address.GetAddressBytes();
        return octets switch
        {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, ..] => new IPAddress(octets[12..]),
            [0, 0x64, 0xFF, 0x9B, ..] => new IPAddress(octets[12..]),
            [0x20, 0x02, ..] => new IPAddress(octets[2..6]),
            _ => null,
        };
    }

    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint endpoint, bool allowPrivate, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(endpoint.Host, cancellationToken);
        var allowed = allowPrivate ? addresses : Array.FindAll(addresses, IsPublic);
        if (allowed.Length == 0)
        {
            throw new PrivateAddressException(
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

/// <summary>The address is one that definitions are not allowed to access here.</summary>
internal sealed class PrivateAddressException(string message) : HttpRequestException(message);
