using System.Net;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Says where a model's calls go and whether they carry the key. The key goes to the server that the operator named, to the provider's own, and to hosts that
/// the operator listed; a host that only a definition names gets none, whoever wrote the definition.
/// </summary>
internal sealed class EndpointResolver(ModelServer server, ModelServerSettings settings)
{
    /// <summary>All that stands against using the model; then there is no endpoint.</summary>
    public (ModelEndpoint? Endpoint, IReadOnlyList<ModelFault> Faults) Resolve(ModelSpec spec)
    {
        var faults = new List<ModelFault>();
        if (string.IsNullOrWhiteSpace(spec.Model))
        {
            faults.Add(new ModelFault("model", $"no model of {server.Name} is named", """add "model", or set LLM_MODEL_NAME to a model of this provider"""));
        }
        if (Url(spec, faults) is { } url)
        {
            var trust = TrustIn(url);
            var key = trust == ModelTrust.Stranger ? default : new Secret(server.Key.Value?.Trim());
            CheckKey(url, trust, key, faults);
            CheckReach(url, trust, faults);
            if (faults.Count == 0)
            {
                return (new ModelEndpoint(server.Name, url, key, trust), faults);
            }
        }
        return (null, faults);
    }

    /// <summary>Where a model's calls go, written alike however it was named.</summary>
    public ModelAddress AddressOf(ModelSpec spec) => Url(spec, []) is { } url
        ? new ModelAddress(url.AbsoluteUri.TrimEnd('/'), url == Own(server.BaseUrl) || url == Own(server.Home))
        : new ModelAddress(server.Name, IsOperators: false); // nowhere: no client is made

    private static Uri? Own(string? text) => Given(text) is { } given ? Parse(given) : null;

    private Uri? Url(ModelSpec spec, List<ModelFault> faults)
    {
        var isDefinitions = !string.IsNullOrWhiteSpace(spec.BaseUrl);
        var (text, path, name) = isDefinitions ? (spec.BaseUrl, "base_url", "base_url") : (Given(server.BaseUrl) ?? server.Home, "", server.BaseUrlVariable);
        if (text is null)
        {
            faults.Add(new ModelFault("base_url", $"{server.Name} needs to know where the server is", $"add \"base_url\": \"http://HOST:PORT/v1\", or set {server.BaseUrlVariable}"));
            return null;
        }
        if (Parse(text) is { } url)
        {
            return url;
        }
        // What was written may hold a password, so it is not repeated.
        faults.Add(new ModelFault(path, $"{name} is no plain http or https URL", "write scheme, host, port and path alone: no user, password, query or fragment"));
        return null;
    }

    private static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

    private static Uri? Parse(string text) =>
        Uri.TryCreate(text.Trim(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.UserInfo.Length == 0 && url.Query.Length == 0 && url.Fragment.Length == 0
        && !text.Contains('@', StringComparison.Ordinal) && url.Host.Length > 0
            ? new Uri(url.GetLeftPart(UriPartial.Path).TrimEnd('/')) : null;

    private ModelTrust TrustIn(Uri url)
    {
        if (IsAt(url, server.BaseUrl) || IsAt(url, server.Home))
        {
            return ModelTrust.Own;
        }
        var listed = settings.AllowedHosts.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return listed.Contains(url.Host, StringComparer.OrdinalIgnoreCase) || listed.Contains($"{url.Host}:{url.Port}", StringComparer.OrdinalIgnoreCase)
            ? ModelTrust.Listed : ModelTrust.Stranger;
    }

    /// <summary>Scheme, host and port: the same host without TLS is not the same server.</summary>
    private static bool IsAt(Uri url, string? other) =>
        Own(other) is { } known && Uri.Compare(url, known, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;

    private void CheckKey(Uri url, ModelTrust trust, Secret key, List<ModelFault> faults)
    {
        if (!key.IsSet && server.NeedsKey && trust == ModelTrust.Own)
        {
            faults.Add(new ModelFault("", $"there is no key for {server.Name}", $"set {server.KeyVariable}"));
        }
        else if (key.IsSet && key.Value!.Any(character => character is <= ' ' or > '~'))
        {
            faults.Add(new ModelFault("", $"{server.KeyVariable} holds characters that no key has", "set it to the key alone"));
        }
        else if (key.IsSet && trust == ModelTrust.Listed && url.Scheme == "http" && !url.IsLoopback)
        {
            faults.Add(new ModelFault("base_url", $"the key of {server.Name} would go to {url.Host} unencrypted", $"use https, or name the server in {server.BaseUrlVariable}, which is the operator's word for it"));
        }
    }

    private void CheckReach(Uri url, ModelTrust trust, List<ModelFault> faults)
    {
        var isPrivate = url.IsLoopback || IPAddress.TryParse(url.Host.Trim('[', ']'), out var address) && !GuardedConnection.IsPublic(address);
        if (isPrivate && trust == ModelTrust.Stranger && settings.AllowPrivateNetworks is not true)
        {
            faults.Add(new ModelFault("base_url", $"{url.Host} is not a public address, and definitions may not name private ones here",
                "the operator may list it in AGENT_EXECUTOR_MODEL_SERVERS_ALLOWED_HOSTS"));
        }
    }
}
