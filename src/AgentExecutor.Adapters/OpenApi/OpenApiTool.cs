using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;
using Microsoft.OpenApi;

namespace AgentExecutor.Adapters.OpenApi;

/// <summary>
/// Converts an operation to the definition of a tool over HTTP: its parameters and its body become the arguments, and templates say where
/// they are sent.
/// </summary>
internal sealed partial class OpenApiTool(ToolDefinition definition, OpenApiDocument document, OpenApiOperationItem operation)
{
    private const int MaxSchemaBytes = 64 * 1024;
    private const int MaxDescription = 4_000;
    private const string BodyName = "body";

    /// <summary>Headers that OpenAPI describes elsewhere.</summary>
    private static readonly string[] OtherHeaders = ["accept", "content-type", "authorization"];

    private readonly ToolRuntimeDefinition _runtime = definition.Runtime!;
    private readonly OpenApiSchemas _schemas = new(document);
    private readonly JsonObject _properties = [];
    private readonly JsonArray _required = [];
    private readonly Dictionary<string, JsonElement> _query = new(definition.Runtime!.Query ?? new Dictionary<string, JsonElement>());
    private readonly Dictionary<string, JsonElement> _headers = new(
        definition.Runtime!.Headers ?? new Dictionary<string, JsonElement>(),
        StringComparer.OrdinalIgnoreCase
    );
    private readonly List<ToolFault> _faults = [];
    private string _path = operation.Path;

    /// <summary>The reasons why the operation cannot be a tool.</summary>
    public IReadOnlyList<ToolFault> Faults => _faults;

    public ToolDefinition Build()
    {
        foreach (var parameter in Parameters())
        {
            Add(parameter);
        }
        var body = Body();
        var isOne = _runtime.Operation is not null;
        return definition with
        {
            Name = isOne ? definition.Name : ToolNames.Of(definition.NamePrefix()!, operation.Id),
            Description = (isOne ? definition.Description : null) ?? Description(),
            Parameters = (isOne ? definition.Parameters : null) ?? Schema(),
            Runtime = new ToolRuntimeDefinition
            {
                Type = "http",
                Method = operation.Method.Method,
                Url = Server() + _path,
                Query = _query,
                Headers = _headers,
                Body = body,
                TimeoutSeconds = _runtime.TimeoutSeconds,
            },
        };
    }

    /// <summary>The parameters of the operation, and those of its path that it does not replace.</summary>
    private IEnumerable<IOpenApiParameter> Parameters() =>
        (operation.Operation.Parameters ?? []).Concat(operation.Item.Parameters ?? []).DistinctBy(it => (it.Name, it.In));

    private void Add(IOpenApiParameter parameter)
    {
        var name = parameter.Name ?? "";
        var isFixed =
            (parameter.In == ParameterLocation.Query && _query.ContainsKey(name))
            || (
                parameter.In == ParameterLocation.Header
                && (_headers.ContainsKey(name) || OtherHeaders.Contains(name, StringComparer.OrdinalIgnoreCase))
            );
        if (isFixed)
        {
            return; // the definition says what is sent
        }
        if (parameter.In is not (ParameterLocation.Path or ParameterLocation.Query or ParameterLocation.Header))
        {
            if (parameter.Required)
            {
                Fault($"requires the parameter '{name}' in a place that is not supported ({parameter.In})");
            }
            return;
        }
        var argument = Argument(name, $"{parameter.In}".ToLowerInvariant());
        var template = JsonSerializer.SerializeToElement($"{{{argument}}}");
        switch (parameter.In)
        {
            case ParameterLocation.Path:
                _path = _path.Replace($"{{{name}}}", $"{{{argument}}}", StringComparison.Ordinal);
                break;
            case ParameterLocation.Query:
                _query[name] = template;
                break;
            default:
                _headers[name] = template;
                break;
        }
        var schema = _schemas.Convert(parameter.Schema ?? parameter.Content?.Values.FirstOrDefault()?.Schema);
        Declare(argument, schema, parameter.Description, parameter.Required || parameter.In == ParameterLocation.Path);
    }

    /// <summary>Returns the template of the body, or null if the operation has none.</summary>
    private JsonElement? Body()
    {
        if (operation.Operation.RequestBody is not { } body)
        {
            return null;
        }
        var content = body.Content ?? new Dictionary<string, IOpenApiMediaType>();
        var type = content.Keys.FirstOrDefault(IsJson) ?? content.Keys.FirstOrDefault(IsForm) ?? content.Keys.FirstOrDefault(IsText);
        if (type is null)
        {
            if (body.Required)
            {
                Fault($"requires a body of the type {string.Join(" or ", content.Keys)}, which is not supported");
            }
            return null;
        }
        _headers.TryAdd("Content-Type", JsonSerializer.SerializeToElement(type));
        var argument = Argument(BodyName, "content");
        Declare(argument, _schemas.Convert(content[type].Schema), body.Description, body.Required);
        return JsonSerializer.SerializeToElement($"{{{argument}}}");
    }

    private void Declare(string argument, JsonObject schema, string? description, bool isRequired)
    {
        if (description is { Length: > 0 } && !schema.ContainsKey("description"))
        {
            schema["description"] = Cut(description);
        }
        _properties[argument] = schema;
        if (isRequired)
        {
            _required.Add(argument);
        }
    }

    /// <summary>Returns a name for an argument that no other has, and that templates accept.</summary>
    private string Argument(string name, string place)
    {
        var plain = NotInNames().Replace(name, "_");
        plain = plain.Length == 0 || !(char.IsAsciiLetter(plain[0]) || plain[0] == '_') ? $"_{plain}" : plain;
        return _properties.ContainsKey(plain) ? $"{plain}_{place}" : plain;
    }

    private JsonElement Schema()
    {
        var schema = new JsonObject
        {
            ["type"] = "object",
            ["properties"] = _properties,
            ["required"] = _required,
            ["additionalProperties"] = false,
        };
        if (_schemas.Definitions is { } definitions)
        {
            schema["$defs"] = definitions;
        }
        var json = JsonSerializer.SerializeToElement(schema);
        var size = Encoding.UTF8.GetByteCount(json.GetRawText());
        if (size > MaxSchemaBytes)
        {
            Fault($"has a schema of {size} bytes, of which at most {MaxSchemaBytes} are allowed");
        }
        return json;
    }

    /// <summary>Returns the URL of the server without the slash at its end: that of the definition, or the first of the document.</summary>
    private string Server()
    {
        if (_runtime.Url is { } own)
        {
            return own.TrimEnd('/');
        }
        var server = (operation.Operation.Servers ?? operation.Item.Servers ?? document.Servers)?.FirstOrDefault();
        var url = server?.Url ?? "";
        foreach (var (name, variable) in server?.Variables ?? new Dictionary<string, OpenApiServerVariable>())
        {
            url = url.Replace($"{{{name}}}", variable.Default, StringComparison.Ordinal);
        }
        if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https"))
        {
            _faults.Add(
                HttpToolChecks.Fault(
                    "runtime.url",
                    $"the OpenAPI document has no absolute URL of a server (it has '{url}')",
                    "set 'url' to the URL of the server"
                )
            );
            return "https://invalid.invalid";
        }
        return url.TrimEnd('/');
    }

    private string Description()
    {
        var (summary, description) = (operation.Operation.Summary, operation.Operation.Description);
        return Cut(
            string.Join("\n\n", ((string?[])[summary, description]).Where(text => !string.IsNullOrWhiteSpace(text)).Distinct())
                is { Length: > 0 } text
                ? text
                : $"{operation.Method.Method} {operation.Path}"
        );
    }

    private void Fault(string message) =>
        _faults.Add(
            HttpToolChecks.Fault(
                "runtime.openapi",
                $"the operation '{operation.Id}' {message}",
                "leave it out of 'operations', or change the document"
            )
        );

    private static string Cut(string text) => text.Length <= MaxDescription ? text : text[..MaxDescription];

    private static bool IsJson(string type) =>
        type.StartsWith("application/json", StringComparison.OrdinalIgnoreCase)
        || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);

    private static bool IsForm(string type) => type.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase);

    private static bool IsText(string type) => type.StartsWith("text/", StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex(@"[^A-Za-z0-9_.\-]")]
    private static partial Regex NotInNames();
}
