using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// The body of a tool's requests. In its texts, <c>{name}</c> stands for an argument. A text that is only <c>{name}</c> becomes the
/// argument with its own type, and is omitted if the argument is missing.
/// </summary>
internal sealed class BodyTemplate(JsonElement template)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private const string FormType = "application/x-www-form-urlencoded";

    public IEnumerable<string> Names => Texts(template).SelectMany(text => ArgumentTemplate.Parse(text).Names).Distinct();

    /// <summary>Creates the body. Returns null if it consists of an argument that is missing.</summary>
    /// <param name="arguments">The arguments of the call.</param>
    /// <param name="contentType">The content type that the definition sets, or null.</param>
    public HttpContent? Fill(JsonElement arguments, string? contentType)
    {
        if (IsMissing(template, arguments))
        {
            return null;
        }
        var filled = Fill(template, arguments);
        var isJson = filled is JsonObject or JsonArray || contentType?.Contains("json", StringComparison.OrdinalIgnoreCase) is true;
        if (!isJson)
        {
            return new StringContent(Display(filled), Encoding.UTF8, "text/plain");
        }
        if (contentType?.StartsWith(FormType, StringComparison.OrdinalIgnoreCase) is true && filled is JsonObject form)
        {
            return new FormUrlEncodedContent(form.SelectMany(field => Fields(field.Key, field.Value)));
        }
        return Json(JsonSerializer.SerializeToUtf8Bytes(filled, Plain));
    }

    /// <summary>Creates a body of JSON.</summary>
    public static HttpContent Json(byte[] json) => new ByteArrayContent(json) { Headers = { ContentType = new("application/json") } };

    private static IEnumerable<KeyValuePair<string, string>> Fields(string name, JsonNode? value) =>
        value is JsonArray list
            ? list.Select(item => KeyValuePair.Create(name, Display(item)))
            : [KeyValuePair.Create(name, Display(value))];

    private static string Display(JsonNode? value) => value is null ? "" : JsonBytes.Display(JsonSerializer.SerializeToElement(value));

    private static JsonNode? Fill(JsonElement value, JsonElement arguments)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var filled = new JsonObject();
                foreach (var property in value.EnumerateObject().Where(property => !IsMissing(property.Value, arguments)))
                {
                    filled[property.Name] = Fill(property.Value, arguments);
                }
                return filled;
            case JsonValueKind.Array:
                return new JsonArray([
                    .. value.EnumerateArray().Where(item => !IsMissing(item, arguments)).Select(item => Fill(item, arguments)),
                ]);
            case JsonValueKind.String:
                var text = ArgumentTemplate.Parse(value.GetString()!);
                return text.OnlyName is { } name ? NodeOf(arguments.GetProperty(name)) : JsonValue.Create(text.Fill(arguments));
            default:
                return NodeOf(value);
        }
    }

    private static bool IsMissing(JsonElement value, JsonElement arguments) =>
        value.ValueKind == JsonValueKind.String
        && ArgumentTemplate.Parse(value.GetString()!).OnlyName is { } name
        && !arguments.TryGetProperty(name, out _);

    private static JsonNode? NodeOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Object => JsonObject.Create(value),
            JsonValueKind.Array => JsonArray.Create(value),
            JsonValueKind.Null => null,
            _ => JsonValue.Create(value),
        };

    private static IEnumerable<string> Texts(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => [value.GetString()!],
            JsonValueKind.Array => value.EnumerateArray().SelectMany(Texts),
            JsonValueKind.Object => value.EnumerateObject().SelectMany(property => Texts(property.Value)),
            _ => [],
        };
}
