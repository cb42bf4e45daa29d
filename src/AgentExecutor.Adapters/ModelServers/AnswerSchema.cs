using System.Text.Json;
using System.Text.Json.Nodes;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>JSON Schemas for structured answers, within what providers take. The whole schema is the caller's to check.</summary>
internal static class AnswerSchema
{
    private static readonly string[] Bounds =
        ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "$schema", "$id"];

    private static readonly string[] Lists = ["anyOf", "oneOf", "allOf"], Maps = ["properties", "$defs", "definitions"];

    /// <summary>True where every object lists all its properties as required and allows no others: what OpenAI's strict mode asks for.</summary>
    public static bool IsStrict(JsonElement schema) => schema.ValueKind == JsonValueKind.Object && Parts(JsonObject.Create(schema)!).All(IsStrict);

    /// <summary>Closes every object and leaves bounds out, as Anthropic asks.</summary>
    public static JsonElement Closed(JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            return schema;
        }
        var closed = JsonObject.Create(schema)!;
        foreach (var part in Parts(closed).ToList())
        {
            foreach (var bound in Bounds)
            {
                part.Remove(bound);
            }
            if (IsObject(part))
            {
                part["additionalProperties"] = false;
            }
        }
        return JsonElement.Parse(closed.ToJsonString());
    }

    private static bool IsStrict(JsonObject part)
    {
        if (Array.Exists(Bounds, part.ContainsKey) || part.ContainsKey("oneOf") || part.ContainsKey("allOf"))
        {
            return false;
        }
        if (!IsObject(part))
        {
            return true;
        }
        var required = part["required"] is JsonArray names ? names.Select(name => name?.ToString()).ToHashSet() : [];
        return part["additionalProperties"] is JsonValue open && open.TryGetValue<bool>(out var isOpen) && !isOpen
            && (part["properties"] as JsonObject ?? []).All(property => required.Contains(property.Key));
    }

    private static bool IsObject(JsonObject part) => part["type"] is JsonValue type && type.TryGetValue<string>(out var name) ? name == "object" : part["properties"] is JsonObject;

    private static IEnumerable<JsonObject> Parts(JsonObject schema)
    {
        yield return schema;
        var inner = Lists.SelectMany(name => schema[name] as JsonArray ?? []).Concat(Maps.SelectMany(name => (schema[name] as JsonObject ?? []).Select(entry => entry.Value))).Append(schema["items"]);
        foreach (var part in inner.OfType<JsonObject>().SelectMany(Parts))
        {
            yield return part;
        }
    }
}
