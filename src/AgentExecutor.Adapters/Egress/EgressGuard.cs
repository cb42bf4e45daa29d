using System.Net;

namespace AgentExecutor.Adapters.Egress;

/// <summary>
/// Decides which addresses requests of definitions may reach, and creates the handlers that enforce it. Everything that leaves the process
/// on behalf of a definition uses it.
/// </summary>
/// <param name="allowPrivateNetworks">Whether private addresses are allowed. If it is null, only those of listed hosts are.</param>
/// <param name="allowedHosts">The only hosts that may be reached, as <c>host</c> or <c>host:port</c>, separated by commas; empty for
/// all.</param>
internal sealed class EgressGuard(bool? allowPrivateNetworks, string allowedHosts)
{
    private readonly AllowedHosts _hosts = new(allowedHosts);

    /// <summary>Returns true if the operator's list of hosts allows the URL, or if there is no list.</summary>
    public bool Lists(Uri url) => !_hosts.IsSet || _hosts.Contains(url);

    /// <summary>
    /// Creates a handler that connects only to allowed addresses, and that follows redirects as far as <see cref="RedirectHandler"/>
    /// describes.
    /// </summary>
    public HttpMessageHandler CreateHandler()
    {
        var connection = GuardedConnection.Handler(MayBePrivate);
        return new RedirectHandler(this, connection);
    }

    private bool MayBePrivate(DnsEndPoint endpoint)
    {
        if (_hosts.IsSet && !_hosts.Contains(endpoint.Host, endpoint.Port))
        {
            throw new EgressException($"the host '{endpoint.Host}:{endpoint.Port}' is not one of the hosts that are allowed here");
        }
        return allowPrivateNetworks ?? _hosts.Contains(endpoint.Host, endpoint.Port);
    }
}
