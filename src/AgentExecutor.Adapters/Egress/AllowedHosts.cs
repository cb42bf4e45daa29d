namespace AgentExecutor.Adapters.Egress;

/// <summary>The hosts that an operator allows: <c>host</c> or <c>host:port</c>, separated by commas.</summary>
internal sealed class AllowedHosts(string list)
{
    private readonly string[] _hosts = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>False if the list is empty.</summary>
    public bool IsSet => _hosts.Length > 0;

    public bool Contains(Uri url) => Contains(url.Host, url.Port);

    /// <param name="host">The host. An IPv6 address can be written with brackets, as in URLs, or without, as in connections.</param>
    /// <param name="port">The port of the connection, even if the URL does not contain it.</param>
    public bool Contains(string host, int port)
    {
        var plain = host.Trim('[', ']');
        string[] names = plain.Contains(':', StringComparison.Ordinal)
            ? [plain, $"[{plain}]", $"[{plain}]:{port}"]
            : [plain, $"{plain}:{port}"];
        return _hosts.Intersect(names, StringComparer.OrdinalIgnoreCase).Any();
    }
}
