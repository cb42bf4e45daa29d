using System.Net;
using System.Net.Sockets;

namespace AgentExecutor.Adapters.Egress;

/// <summary>Decides whether an address belongs to the public internet.</summary>
internal static class PublicAddress
{
    /// <summary>
    /// Returns true if an address is on the public internet. An IPv6 address that represents an IPv4 address is treated like it.
    /// </summary>
    public static bool IsPublic(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetwork ? IsPublicIPv4(address.GetAddressBytes())
        : address.AddressFamily == AddressFamily.InterNetworkV6 ? IsPublicIPv6(address.GetAddressBytes())
        : false;

    private static bool IsPublicIPv4(ReadOnlySpan<byte> octets) =>
        octets switch
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

    /// <summary>
    /// Only global unicast addresses (2000::/3) are public, and addresses that a gateway or the host itself translates to a public IPv4
    /// address: mapped (RFC 4291), translated by NAT64 (RFC 6052), tunnelled by 6to4 (RFC 3056) or by ISATAP (RFC 5214).
    /// </summary>
    private static bool IsPublicIPv6(ReadOnlySpan<byte> octets) =>
        octets switch
        {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, ..] => IsPublicIPv4(octets[12..]),
            [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0, ..] => IsPublicIPv4(octets[12..]),
            [0x20, 0x02, ..] => IsPublicIPv4(octets[2..6]),
            [0x20, 0x01, 0, 0, ..] => false, // Teredo (RFC 4380), whose IPv4 address is that of a relay
            [0x20, 0x01, 0x0D, 0xB8, ..] or [0x3F, 0xFF, < 0x10, ..] => false, // documentation (RFC 3849, RFC 9637)
            [>= 0x20 and <= 0x3F, _, _, _, _, _, _, _, 0 or 2, 0, 0x5E, 0xFE, ..] => IsPublicIPv4(octets[12..]),
            [>= 0x20 and <= 0x3F, ..] => true,
            _ => false,
        };
}
