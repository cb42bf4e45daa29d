using System.Text.Json.Nodes;
using AgentExecutor.Core.Json;
using Microsoft.OpenApi;

namespace AgentExecutor.Adapters.OpenApi;

/// <summary>
/// Converts schemas of a document to JSON Schema. Schemas that are referenced are collected under <c>$defs</c>, so that schemas which
/// contain themselves remain finite.
/// </summary>
internal sealed class OpenApiSchemas(OpenApiDocument document)
{
    private const string Components = "#/components/schemas/";

    private readonly SortedDictionary<string, JsonNode?> _definitions = new(StringComparer.Ordinal);

    /// <summary>The referenced schemas by name; null if there are none.</summary>
    public JsonObject? Definitions =>
        _definitions.Count == 0 ? null : new JsonObject(_definitions.Select(it => KeyValuePair.Create(it.Key, it.Value?.DeepClone())));

    public JsonObject Convert(IOpenApiSchema? schema)
    {
        if (schema is null)
        {
            return [];
        }
        using var text = new StringWriter();
        schema.SerializeAsV31(new OpenApiJsonWriter(text));
        var json = JsonObject.Create(InputJson.Parse(text.ToString())) ?? [];
        Rewrite(json);
        return json;
    }

    private void Rewrite(JsonNode? node)
    {
        if (node is JsonArray list)
        {
            foreach (var item in list)
            {
                Rewrite(item);
            }
        }
        if (node is not JsonObject owner)
        {
            return;
        }
        if (
            owner["$ref"] is JsonValue value
            && value.TryGetValue<string>(out var reference)
            && reference.StartsWith(Components, StringComparison.Ordinal)
        )
        {
            var name = reference[Components.Length..];
            owner["$ref"] = $"#/$defs/{name}";
            Define(Uri.UnescapeDataString(name).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal));
        }
        foreach (var (_, child) in owner)
        {
            Rewrite(child);
        }
    }

    private void Define(string name)
    {
        if (_definitions.TryAdd(name, null) && document.Components?.Schemas?.TryGetValue(name, out var schema) is true)
        {
            _definitions[name] = Convert(schema);
        }
    }
}
