using AgentExecutor.Adapters.Egress;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Http;

/// <summary>Tools that are called over HTTP.</summary>
public sealed record HttpToolSettings
{
    private IReadOnlyDictionary<string, Secret> _secrets = new Dictionary<string, Secret>();

    /// <summary>
    /// Whether tools may reach loopback, private and link-local addresses. By default the command line allows it, because the definition is
    /// the user's own. A service does not, because submitted definitions could otherwise reach the internal network.
    /// </summary>
    public bool? AllowPrivateNetworks { get; init; }

    /// <summary>
    /// The only hosts that tools may reach, as `host` or `host:port` separated by commas. They may be private. If the list is empty, tools
    /// may reach every host that `AGENT_EXECUTOR_HTTP_TOOLS_ALLOW_PRIVATE_NETWORKS` permits.
    /// </summary>
    public string AllowedHosts { get; init; } = "";

    /// <summary>
    /// The names of environment variables, separated by commas, whose values definitions may send in the headers of tools, as `{"env":
    /// "NAME"}`. The variable `NAME_FILE` can name a file with the value instead. The author of a definition chooses where the value is
    /// sent; restrict this with `AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_HOSTS`.
    /// </summary>
    public string AllowedSecrets { get; init; } = "";

    /// <summary>The timeout in seconds of one call, if the tool sets no lower one.</summary>
    public double TimeoutSeconds { get; init; } = 60;

    /// <summary>The maximum number of bytes that are read of a response. The rest is cut off, and the result says so.</summary>
    public int MaxResponseBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>The names in <see cref="AllowedSecrets"/>.</summary>
    public IReadOnlyList<string> SecretNames() =>
        AllowedSecrets.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The values of the allowed secrets by name, as far as they are set.</summary>
    public IReadOnlyDictionary<string, Secret> Secrets() => _secrets;

    /// <summary>The guard of everything that is sent on behalf of definitions.</summary>
    internal EgressGuard CreateGuard() => new(AllowPrivateNetworks, AllowedHosts);

    /// <summary>The same settings, with these values of the allowed secrets.</summary>
    public HttpToolSettings WithSecrets(IReadOnlyDictionary<string, Secret> secrets) => this with { _secrets = secrets };
}
