using System.Net;
using System.Net.Sockets;
using AgentExecutor.Core;
using AgentExecutor.Server.Settings;
using AgentExecutor.Server.View;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api.Checks;

/// <summary>
/// Checks the Host header of a request. The owner of a domain can make its name resolve to the address of this service, and a browser then
/// treats the pages of that domain as pages of this service. IP addresses and <c>localhost</c> cannot be abused in this way.
/// </summary>
internal sealed class AllowedHosts
{
    private const int LongestName = 100;
    private const string OnlyAddresses = "; while ALLOWED_HOSTS is not set, only IP addresses and localhost are accepted";

    private readonly List<HostPattern> _patterns;

    public AllowedHosts(HttpSettings settings) =>
        _patterns = [.. ListSetting.Items(settings.AllowedHosts).Select(HostPattern.Parse).OfType<HostPattern>()];

    /// <exception cref="FaultException"><see cref="FaultCodes.HostRefused"/>.</exception>
    public void Check(HostString host)
    {
        if (!host.HasValue || IsAddress(host.Host))
        {
            return; // clients of HTTP/1.0 send no Host header, but browsers always do
        }
        var name = host.Host.TrimEnd('.');
        if (name.Equals("localhost", StringComparison.OrdinalIgnoreCase) || _patterns.Exists(pattern => pattern.Matches(name, host.Port)))
        {
            return;
        }
        throw new FaultException(
            FaultCodes.HostRefused,
            $"the Host header names '{EventText.Short(host.Value, LongestName)}', which is not an allowed name of this service",
            $"add the name to ALLOWED_HOSTS, or use the IP address{(_patterns.Count == 0 ? OnlyAddresses : "")}"
        );
    }

    /// <summary>An IPv4 address in its usual form, or an IPv6 address in brackets.</summary>
    private static bool IsAddress(string host) =>
        host.StartsWith('[')
            ? host.EndsWith(']')
                && IPAddress.TryParse(host.AsSpan(1, host.Length - 2), out var v6)
                && v6.AddressFamily == AddressFamily.InterNetworkV6
            : host.Count('.') == 3 && IPAddress.TryParse(host, out var v4) && v4.AddressFamily == AddressFamily.InterNetwork;
}
