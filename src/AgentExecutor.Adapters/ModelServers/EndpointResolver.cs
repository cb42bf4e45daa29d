using System.Net;
using AgentExecutor.Adapters.Egress;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Determines the server of a model and whether it receives the key. The key is sent to the server that the operator configured, to the
/// provider's own server, and to hosts that the operator allowed. A host that only a definition names never receives a key.
/// </summary>
internal sealed class EndpointResolver(ModelServer server, ModelServerSettings settings)
{
    /// <summary>Resolves the endpoint of a model. If there are faults, there is no endpoint.</summary>
    public (ModelEndpoint? Endpoint, IReadOnlyList<ModelFault> Faults) Resolve(ModelSpec spec)
    {
        var faults = new List<ModelFault>();
        if (string.IsNullOrWhiteSpace(spec.Model))
        {
            faults.Add(
                new ModelFault(
                    "model",
                    $"no model of {server.Name} is specified",
                    """add "model", or set LLM_MODEL_NAME to a model of this provider""",
                    IsEnvironment: true
                )
            );
        }
        if (Url(spec, faults) is { } url)
        {
            var trust = TrustIn(url);
            var key = trust == ModelTrust.Untrusted ? default : new Secret(server.Key.Value?.Trim());
            CheckKey(url, trust, key, faults);
            CheckReach(url, trust, faults);
            if (faults.Count == 0)
            {
                return (new ModelEndpoint(server.Name, url, key, trust), faults);
            }
        }
        return (null, faults);
    }

    /// <summary>Returns the server of a model in a canonical form.</summary>
    public ModelAddress AddressOf(ModelSpec spec) =>
        Url(spec, []) is { } url
            ? new ModelAddress(url.AbsoluteUri.TrimEnd('/'), url == Own(server.BaseUrl) || url == Own(server.Home))
            // There is no such server, and no client will be created.
            : new ModelAddress(server.Name, IsOperators: false);

    private static Uri? Own(string? text) => Given(text) is { } given ? Parse(given) : null;

    private Uri? Url(ModelSpec spec, List<ModelFault> faults)
    {
        var isFromDefinition = !string.IsNullOrWhiteSpace(spec.BaseUrl);
        var (text, path, name) = isFromDefinition
            ? (spec.BaseUrl, "base_url", "base_url")
            : (Given(server.BaseUrl) ?? server.Home, "", server.BaseUrlVariable);
        if (text is null)
        {
            faults.Add(
                new ModelFault(
                    "base_url",
                    $"the address of the {server.Name} server is not configured",
                    $"add \"base_url\": \"http://HOST:PORT/v1\", or set {server.BaseUrlVariable}",
                    IsEnvironment: true
                )
            );
            return null;
        }
        if (Parse(text) is { } url)
        {
            return url;
        }
        // The value may contain a password, so it is not repeated.
        faults.Add(
            new ModelFault(
                path,
                $"{name} is not a plain http or https URL",
                "write only scheme, host, port and path, without user, password, query or fragment",
                IsEnvironment: !isFromDefinition
            )
        );
        return null;
    }

    private static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

    internal static Uri? Parse(string text) =>
        Uri.TryCreate(text.Trim(), UriKind.Absolute, out var url)
        && url.Scheme is "http" or "https"
        && url.UserInfo.Length == 0
        && url.Query.Length == 0
        && url.Fragment.Length == 0
        && !text.Contains('@', StringComparison.Ordinal)
        && url.Host.Length > 0
            ? new Uri(url.GetLeftPart(UriPartial.Path).TrimEnd('/'))
            : null;

    private ModelTrust TrustIn(Uri url)
    {
        if (IsAt(url, server.BaseUrl) || IsAt(url, server.Home))
        {
            return ModelTrust.Own;
        }
        var listed = settings.AllowedHosts.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return
            listed.Contains(url.Host, StringComparer.OrdinalIgnoreCase)
            || listed.Contains($"{url.Host}:{url.Port}", StringComparer.OrdinalIgnoreCase)
            ? ModelTrust.Listed
            : ModelTrust.Untrusted;
    }

    /// <summary>Compares scheme, host and port: the same host without TLS is not the same server.</summary>
    private static bool IsAt(Uri url, string? other) =>
        Own(other) is { } known
        && Uri.Compare(url, known, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;

    private void CheckKey(Uri url, ModelTrust trust, Secret key, List<ModelFault> faults)
    {
        if (!key.IsSet && server.NeedsKey && trust == ModelTrust.Own)
        {
            faults.Add(new ModelFault("", $"the key of {server.Name} is not set", $"set {server.KeyVariable}", IsEnvironment: true));
        }
        else if (key.IsSet && key.Value!.Any(character => character is <= ' ' or > '~'))
        {
            faults.Add(
                new ModelFault(
                    "",
                    $"{server.KeyVariable} contains characters that are not allowed in a key",
                    "set it to the key only",
                    IsEnvironment: true
                )
            );
        }
        else if (key.IsSet && trust == ModelTrust.Listed && url.Scheme == "http" && !url.IsLoopback)
        {
            faults.Add(
                new ModelFault(
                    "base_url",
                    $"the key of {server.Name} would be sent to {url.Host} without encryption",
                    $"use https, or set {server.BaseUrlVariable} to the server to confirm it as the operator"
                )
            );
        }
    }

    private void CheckReach(Uri url, ModelTrust trust, List<ModelFault> faults)
    {
        var isPrivate = url.IsLoopback || IPAddress.TryParse(url.Host.Trim('[', ']'), out var address) && !PublicAddress.IsPublic(address);
        if (isPrivate && trust == ModelTrust.Untrusted && settings.AllowPrivateNetworks is not true)
        {
            faults.Add(
                new ModelFault(
                    "base_url",
                    $"{url.Host} is not a public address, and definitions are not allowed to use private ones here",
                    "the operator can allow it in AGENT_EXECUTOR_MODEL_SERVERS_ALLOWED_HOSTS",
                    IsEnvironment: true
                )
            );
        }
    }
}
