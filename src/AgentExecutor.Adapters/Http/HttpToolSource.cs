using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Http;

/// <summary>Creates tools with <c>runtime.type: http</c>.</summary>
internal sealed class HttpToolSource : IToolSource, IDisposable
{
    private readonly HttpToolSettings _settings;
    private readonly TimeProvider _time;
    private readonly AllowedHosts _hosts;
    private readonly HttpClient _client;

    public HttpToolSource(HttpToolSettings settings, TimeProvider time)
    {
        (_settings, _time, _hosts) = (settings, time, new AllowedHosts(settings.AllowedHosts));
        var handler = GuardedConnection.Handler(endpoint => settings.AllowPrivateNetworks ?? _hosts.Contains(endpoint.Host, endpoint.Port));
        _client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public string RuntimeType => "http";

    public IEnumerable<ToolFault> Check(ToolDefinition definition)
    {
        if (!Uri.TryCreate(definition.Runtime?.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            yield return Fault("runtime.url", $"'{definition.Runtime?.Url}' is not an http or https URL", "write an absolute URL");
        }
        else if (_hosts.IsSet && !_hosts.Contains(url))
        {
            yield return Missing(
                "runtime.url",
                $"tools are not allowed to access the host '{url.Authority}' here",
                "the operator can allow it in AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_HOSTS"
            );
        }
        if (definition.Runtime?.Method is { } method && method.ToUpperInvariant() is not ("GET" or "POST" or "PUT" or "PATCH" or "DELETE"))
        {
            yield return Fault("runtime.method", $"'{method}' is not a supported method", "use GET, POST, PUT, PATCH or DELETE");
        }
        if (definition.Runtime?.TimeoutSeconds is { } seconds && (seconds <= 0 || seconds > _settings.TimeoutSeconds))
        {
            yield return new ToolFault(
                "runtime.timeout_seconds",
                DefinitionCodes.LimitAboveServer,
                $"{seconds} must be greater than 0 and at most the server's limit of {_settings.TimeoutSeconds}",
                $"use a number in this range"
            );
        }
        foreach (
            var fault in (definition.Runtime?.Headers ?? new Dictionary<string, JsonElement>()).SelectMany(header =>
                Check(header.Key, header.Value)
            )
        )
        {
            yield return fault;
        }
    }

    public Tool Create(ToolDefinition definition) => new HttpTool(definition, _settings, _client, _time);

    public void Dispose() => _client.Dispose();

    private IEnumerable<ToolFault> Check(string name, JsonElement value)
    {
        var path = $"runtime.headers.{name}";
        if (!ToolHeader.TryRead(value, out var header))
        {
            yield return Fault(path, "the value is not valid for a header", """write a string, or {"env": "NAME", "prefix": "Bearer "}""");
        }
        else if (!IsHeaderName(name) || !ToolHeader.IsSendable(header.Text))
        {
            yield return Fault(
                path,
                "the header's name or value contains characters that are not allowed in headers",
                "remove them: only ASCII characters other than control characters can be sent"
            );
        }
        else if (ToolHeader.IsOwn(name))
        {
            yield return Fault(path, $"the header {name} is always set by the runtime", "remove the header");
        }
        else if (header.Secret is null)
        {
            if (ToolHeader.IsSensitive(name))
            {
                const string Hint = """write {"env": "NAME"}, and allow the name in AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_SECRETS""";
                yield return Fault(path, "a secret that is written in a definition is stored with it", Hint) with
                {
                    IsWarning = true,
                };
            }
        }
        else if (!_settings.SecretNames().Contains(header.Secret, StringComparer.Ordinal))
        {
            yield return Missing(
                path,
                $"definitions are not allowed to use the secret '{header.Secret}' here",
                "the operator can allow it in AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_SECRETS"
            );
        }
        else if (!_settings.Secrets().TryGetValue(header.Secret, out var secret) || !secret.IsSet)
        {
            yield return Missing(
                path,
                $"the secret '{header.Secret}' is not set",
                $"set {header.Secret}, or {header.Secret}_FILE to a file that contains it"
            );
        }
        else if (!ToolHeader.IsSendable(secret.Value!))
        {
            yield return Missing(
                path,
                $"the secret '{header.Secret}' contains characters that are not allowed in headers",
                $"set {header.Secret} to the secret only"
            );
        }
    }

    private static bool IsHeaderName(string name) =>
        name.Length > 0 && name.All(it => char.IsAsciiLetterOrDigit(it) || "!#$%&'*+-.^_`|~".Contains(it, StringComparison.Ordinal));

    /// <summary>Creates a fault for a valid definition that needs something that the operator did not allow or set.</summary>
    private static ToolFault Missing(string path, string message, string hint) => Fault(path, message, hint) with { IsEnvironment = true };

    private static ToolFault Fault(string path, string message, string hint) => new(path, DefinitionCodes.InvalidTool, message, hint);
}
