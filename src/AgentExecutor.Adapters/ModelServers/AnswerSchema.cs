using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Adapts JSON Schemas for structured answers to what providers accept. The caller checks answers against the complete schema.
/// </summary>
internal static class AnswerSchema
{
    private static readonly string[] LimitKeywords =
    [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "$schema",
        "$id",
    ];

    private static readonly string[] Lists = ["anyOf", "oneOf", "allOf"],
        Maps = ["properties", "$defs", "definitions"];

    /// <summary>
    /// Returns true if every object lists all its properties as required and allows no others, as OpenAI's strict mode requires.
    /// </summary>
    public static bool IsStrict(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object && Parts(JsonObject.Create(schema)!).All(IsStrict);

    /// <summary>Disallows additional properties in every object and removes limits, as Anthropic requires.</summary>
    public static JsonElement Closed(JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            return schema;
        }
        var closed = JsonObject.Create(schema)!;
        foreach (var part in Parts(closed).ToList())
        {
            foreach (var keyword in LimitKeywords)
            {
                part.Remove(keyword);
            }
            if (IsObject(part))
            {
                part["additionalProperties"] = false;
            }
        }
        return StoredJson.Parse(closed.ToJsonString());
    }

    private static bool IsStrict(JsonObject part)
    {
        if (Array.Exists(LimitKeywords, part.ContainsKey) || part.ContainsKey("oneOf") || part.ContainsKey("allOf"))
        {
            return false;
        }
        if (!IsObject(part))
        {
            return true;
        }
        var required = part["required"] is JsonArray names ? names.Select(name => name?.ToString()).ToHashSet() : [];
        return part["additionalProperties"] is JsonValue open
            && open.TryGetValue<bool>(out var isOpen)
            && !isOpen
            && (part["properties"] as JsonObject ?? []).All(property => required.Contains(property.Key));
    }

    private static bool IsObject(JsonObject part) =>
        part["type"] is JsonValue type && type.TryGetValue<string>(out var name) ? name == "object" : part["properties"] is JsonObject;

    private static IEnumerable<JsonObject> Parts(JsonObject schema)
    {
        yield return schema;
        var inner = Lists
            .SelectMany(name => schema[name] as JsonArray ?? [])
            .Concat(Maps.SelectMany(name => (schema[name] as JsonObject ?? []).Select(entry => entry.Value)))
            .Append(schema["items"]);
        foreach (var part in inner.OfType<JsonObject>().SelectMany(Parts))
        {
            yield return part;
        }
    }
}
