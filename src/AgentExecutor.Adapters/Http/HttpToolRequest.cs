using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Http;

/// <summary>Creates the requests of a tool from its templates and the arguments of a call.</summary>
internal sealed class HttpToolRequest
{
    private readonly UrlTemplate _url;
    private readonly BodyTemplate? _body;
    private readonly KeyValuePair<string, ToolValue>[] _query;
    private readonly KeyValuePair<string, ToolValue>[] _headers;
    private readonly HashSet<string> _names;

    /// <param name="definition">A valid definition.</param>
    /// <param name="settings">The settings with the secrets.</param>
    public HttpToolRequest(ToolDefinition definition, HttpToolSettings settings)
    {
        var runtime = definition.Runtime!;
        _url = UrlTemplate.TryParse(runtime.Url) ?? throw new FormatException($"'{runtime.Url}' is not the URL of a tool.");
        _body = runtime.Body is { } body ? new BodyTemplate(body) : null;
        _query = [.. ValuesOf(runtime.Query)];
        _headers = [.. ValuesOf(runtime.Headers)];
        _names = [.. NamesIn(runtime)];
        Method = MethodOf(definition);
        Secrets = [.. _query.Concat(_headers).Select(it => it.Value.SecretIn(settings)).Where(it => it.Length > 0).Distinct()];
        Settings = settings;
    }

    public HttpMethod Method { get; }

    /// <summary>The secrets that its requests contain.</summary>
    public IReadOnlyList<string> Secrets { get; }

    private HttpToolSettings Settings { get; }

    public static HttpMethod MethodOf(ToolDefinition definition) => new((definition.Runtime?.Method ?? "POST").ToUpperInvariant());

    /// <summary>The names of all arguments that the templates of a tool use, each once.</summary>
    public static IEnumerable<string> NamesIn(ToolRuntimeDefinition runtime) =>
        (UrlTemplate.TryParse(runtime.Url)?.Names ?? [])
            .Concat(ValuesOf(runtime.Query).Concat(ValuesOf(runtime.Headers)).SelectMany(it => it.Value.Names))
            .Concat(runtime.Body is { } body ? new BodyTemplate(body).Names : [])
            .Distinct();

    /// <summary>Creates a request.</summary>
    /// <exception cref="UnsendableArgumentException">An argument cannot be sent.</exception>
    public HttpRequestMessage Create(JsonElement arguments, string idempotencyKey)
    {
        arguments = InputJson.Repaired(arguments);
        var rest = arguments.EnumerateObject().Where(argument => !_names.Contains(argument.Name)).ToList();
        var hasBody = _body is not null || !(Method == HttpMethod.Get || Method == HttpMethod.Head || Method == HttpMethod.Delete);
        var request = new HttpRequestMessage(Method, _url.Fill(arguments, Query(arguments, hasBody ? [] : rest)));
        request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        var headers = Headers(arguments).ToList();
        if (hasBody)
        {
            request.Content = _body is { } body ? body.Fill(arguments, ContentType(headers)) : BodyTemplate.Json(JsonOf(rest));
        }
        foreach (var (name, value) in headers)
        {
            // Content-Type and similar headers belong to the content.
            if (!request.Headers.TryAddWithoutValidation(name, value) && request.Content?.Headers is { } contentHeaders)
            {
                contentHeaders.Remove(name);
                contentHeaders.TryAddWithoutValidation(name, value);
            }
        }
        if (request.Headers.AcceptEncoding.Count == 0)
        {
            request.Headers.TryAddWithoutValidation("Accept-Encoding", HttpAnswer.AcceptedEncodings);
        }
        return request;
    }

    private IEnumerable<KeyValuePair<string, string>> Query(JsonElement arguments, IReadOnlyList<JsonProperty> rest)
    {
        foreach (var (name, value) in _query)
        {
            if (value.Template?.OnlyName is { } only && ArgumentTemplate.Find(arguments, only) is { ValueKind: JsonValueKind.Array } list)
            {
                foreach (var item in list.EnumerateArray())
                {
                    yield return KeyValuePair.Create(name, JsonBytes.Display(item));
                }
            }
            else if (value.Fill(arguments, Settings) is { } text)
            {
                yield return KeyValuePair.Create(name, text);
            }
        }
        foreach (var argument in rest)
        {
            yield return KeyValuePair.Create(argument.Name, JsonBytes.Display(argument.Value));
        }
    }

    private IEnumerable<KeyValuePair<string, string>> Headers(JsonElement arguments)
    {
        foreach (var (name, value) in _headers)
        {
            if (value.Fill(arguments, Settings) is not { } text)
            {
                continue;
            }
            if (!ToolHeader.IsSendable(text))
            {
                throw new UnsendableArgumentException(
                    $"the argument '{value.Names.FirstOrDefault()}' contains characters that are not allowed in the header {name}: "
                        + "only ASCII characters other than control characters can be sent"
                );
            }
            yield return KeyValuePair.Create(name, text);
        }
    }

    private static string? ContentType(IEnumerable<KeyValuePair<string, string>> headers) =>
        headers.FirstOrDefault(header => header.Key.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)).Value;

    private static IEnumerable<KeyValuePair<string, ToolValue>> ValuesOf(IReadOnlyDictionary<string, JsonElement>? values)
    {
        foreach (var (name, json) in values ?? new Dictionary<string, JsonElement>())
        {
            if (ToolValue.TryRead(json, out var value))
            {
                yield return KeyValuePair.Create(name, value);
            }
        }
    }

    private static byte[] JsonOf(List<JsonProperty> rest) =>
        JsonBytes.Write(
            rest,
            static (writer, properties) =>
            {
                writer.WriteStartObject();
                foreach (var property in properties)
                {
                    property.WriteTo(writer);
                }
                writer.WriteEndObject();
            }
        );
}
