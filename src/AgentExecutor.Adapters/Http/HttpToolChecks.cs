using System.Text.Json;
using AgentExecutor.Adapters.Egress;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Http;

/// <summary>Checks definitions of tools over HTTP.</summary>
internal sealed class HttpToolChecks(HttpToolSettings settings, EgressGuard guard)
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

    public IEnumerable<ToolFault> Check(ToolDefinition definition)
    {
        var runtime = definition.Runtime ?? new ToolRuntimeDefinition();
        return
        [
            .. CheckUrl(runtime.Url, guard),
            .. CheckMethod(runtime),
            .. CheckTimeout(runtime.TimeoutSeconds, settings),
            .. CheckBody(runtime.Body),
            .. CheckHeaders(runtime.Headers, "runtime.headers", settings),
            .. (runtime.Query ?? new Dictionary<string, JsonElement>()).SelectMany(it => CheckQuery(it.Key, it.Value)),
            .. CheckNames(definition),
        ];
    }

    public static IEnumerable<ToolFault> CheckUrl(string? text, EgressGuard guard)
    {
        if (UrlTemplate.TryParse(text) is null)
        {
            yield return Fault(
                "runtime.url",
                $"'{text}' is not an http or https URL",
                "write an absolute URL; {name} can stand for an argument in its path and its query"
            );
        }
        else if (Uri.TryCreate(text, UriKind.Absolute, out var url) && !guard.Lists(url))
        {
            yield return Missing(
                "runtime.url",
                $"tools are not allowed to access the host '{url.Authority}' here",
                "the operator can allow it in AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_HOSTS"
            );
        }
    }

    public static IEnumerable<ToolFault> CheckTimeout(double? seconds, HttpToolSettings settings)
    {
        if (seconds is <= 0 || seconds > settings.TimeoutSeconds)
        {
            yield return new ToolFault(
                "runtime.timeout_seconds",
                DefinitionCodes.LimitAboveServer,
                $"{seconds} must be greater than 0 and at most the server's limit of {settings.TimeoutSeconds}",
                $"use a number in this range"
            );
        }
    }

    public static IEnumerable<ToolFault> CheckHeaders(
        IReadOnlyDictionary<string, JsonElement>? headers,
        string path,
        HttpToolSettings settings
    ) => (headers ?? new Dictionary<string, JsonElement>()).SelectMany(it => CheckHeader(it.Key, it.Value, $"{path}.{it.Key}", settings));

    private static IEnumerable<ToolFault> CheckMethod(ToolRuntimeDefinition runtime)
    {
        var method = runtime.Method?.ToUpperInvariant();
        if (method is not null && !Methods.Contains(method))
        {
            yield return Fault(
                "runtime.method",
                $"'{runtime.Method}' is not a supported method",
                $"use one of {string.Join(", ", Methods)}"
            );
        }
        else if (runtime.Body is not null && (method is "GET" or "HEAD"))
        {
            yield return Fault("runtime.body", $"a {method} request has no body", "remove 'body', or use another method");
        }
    }

    private static IEnumerable<ToolFault> CheckBody(JsonElement? body)
    {
        if (body is { ValueKind: not (JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.String) })
        {
            yield return Fault(
                "runtime.body",
                "the body is not an object, a list or a text",
                "write the JSON to send, with {name} for arguments"
            );
        }
    }

    /// <summary>Checks that the schema of the arguments contains those that the templates use.</summary>
    private static IEnumerable<ToolFault> CheckNames(ToolDefinition definition)
    {
        if (definition is not { Runtime: { } runtime, Parameters: { } parameters } || parameters.Property("properties") is not { } known)
        {
            yield break;
        }
        foreach (var name in HttpToolRequest.NamesIn(runtime).Where(name => known.Property(name) is null))
        {
            var path = UrlTemplate.TryParse(runtime.Url)?.Names.Contains(name) is true ? "runtime.url" : "runtime";
            var names = known.EnumerateObject().Select(property => property.Name);
            yield return Fault(
                path,
                $"{{{name}}} is not one of the tool's arguments",
                $"add it to 'parameters', or correct the name ({Spelling.Hint(name, names, "arguments")})"
            );
        }
    }

    private IEnumerable<ToolFault> CheckQuery(string name, JsonElement json)
    {
        var path = $"runtime.query.{name}";
        if (!ToolValue.TryRead(json, out var value))
        {
            yield return Fault(path, "the value is not valid for a query", """write a text, a number, a boolean, or {"env": "NAME"}""");
        }
        else if (value.Secret is not null && CheckSecret(value.Secret, path, settings) is { } fault)
        {
            yield return fault;
        }
    }

    private static IEnumerable<ToolFault> CheckHeader(string name, JsonElement json, string path, HttpToolSettings settings)
    {
        if (json.ValueKind is not (JsonValueKind.String or JsonValueKind.Object) || !ToolValue.TryRead(json, out var header))
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
        else if (header.Secret is not null)
        {
            if (CheckSecret(header.Secret, path, settings) is { } fault)
            {
                yield return fault;
            }
        }
        else if (ToolHeader.IsSensitive(name))
        {
            yield return header.Names.Any()
                ? Fault(path, "a model must not choose the credentials of a request", """write {"env": "NAME"} instead of an argument""")
                : Fault(
                    path,
                    "a secret that is written in a definition is stored with it",
                    """write {"env": "NAME"}, and allow the name in AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_SECRETS"""
                ) with
                {
                    IsWarning = true,
                };
        }
    }

    /// <summary>Checks whether definitions may use a secret, and whether it can be sent.</summary>
    public static ToolFault? CheckSecret(string name, string path, HttpToolSettings settings) =>
        !settings.SecretNames().Contains(name, StringComparer.Ordinal)
            ? Missing(
                path,
                $"definitions are not allowed to use the secret '{name}' here",
                "the operator can allow it in AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_SECRETS"
            )
        : !settings.Secrets().TryGetValue(name, out var secret) || !secret.IsSet
            ? Missing(path, $"the secret '{name}' is not set", $"set {name}, or {name}_FILE to a file that contains it")
        : !ToolHeader.IsSendable(secret.Value!)
            ? Missing(path, $"the secret '{name}' contains characters that are not allowed in headers", $"set {name} to the secret only")
        : null;

    private static bool IsHeaderName(string name) =>
        name.Length > 0 && name.All(it => char.IsAsciiLetterOrDigit(it) || "!#$%&'*+-.^_`|~".Contains(it, StringComparison.Ordinal));

    /// <summary>Creates a fault for a valid definition that needs something that the operator did not allow or set.</summary>
    public static ToolFault Missing(string path, string message, string hint) => Fault(path, message, hint) with { IsEnvironment = true };

    public static ToolFault Fault(string path, string message, string hint) => new(path, DefinitionCodes.InvalidTool, message, hint);
}
