using System.ComponentModel;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Definitions;

/// <summary>The JSON Schema of agent definitions, generated from the types that read them.</summary>
public static class DefinitionSchema
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly string Text = Make();

    /// <summary>The schema as JSON, for validation.</summary>
    internal static JsonElement Root { get; } = StoredJson.Parse(Text);

    /// <summary>The schema as indented text with a final newline, for people and editors.</summary>
    public static string ToText() => Text;

    private static string Make()
    {
        var exporter = new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Describe };
        var schema = DefinitionJson.Default.AgentDefinition.GetJsonSchemaAsNode(exporter).AsObject();
        schema.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.Insert(1, "title", "AgentExecutor agent definition");
        schema["required"] = new JsonArray("nodes");
        schema["properties"]!["version"] = new JsonObject
        {
            ["description"] = "The version of the definition, a text or a number.",
            ["type"] = new JsonArray("string", "number", "null"),
        };
        return schema.ToJsonString(Indented).ReplaceLineEndings("\n") + "\n";
    }

    private static JsonNode Describe(JsonSchemaExporterContext context, JsonNode schema)
    {
        if (schema is not JsonObject node)
        {
            return schema;
        }
        node.Remove("default");
        if (node["$ref"] is { } reference)
        {
            // ModelDefinition becomes an anyOf at the end of this method, which changes the paths of references into it.
            node["$ref"] = reference
                .GetValue<string>()
                .Replace("/model/properties/", "/model/anyOf/1/properties/", StringComparison.Ordinal);
        }
        if (context.PropertyInfo is null && node["type"] is JsonArray types)
        {
            node["type"] = types[0]!.DeepClone(); // an item of a list is never null
        }
        var attributes = context.PropertyInfo?.AttributeProvider ?? context.TypeInfo.Type;
        if (attributes.GetCustomAttributes(typeof(DescriptionAttribute), inherit: false) is [DescriptionAttribute description, ..])
        {
            node.Insert(0, "description", description.Description);
        }
        var isClosed =
            node.ContainsKey("properties")
            && context.TypeInfo.Type.Namespace == typeof(DefinitionSchema).Namespace
            && context.TypeInfo.Type != typeof(ChannelDefinition)
            && context.TypeInfo.Type != typeof(StateSchema);
        if (isClosed)
        {
            node["additionalProperties"] = false;
        }
        if (node["properties"] is JsonObject properties)
        {
            properties["$schema"] = new JsonObject();
            properties["$comment"] = new JsonObject();
        }
        else if (context.TypeInfo.Kind == JsonTypeInfoKind.Dictionary)
        {
            node["properties"] = new JsonObject { ["$comment"] = new JsonObject() };
        }
        return context.TypeInfo.Type == typeof(ModelDefinition)
            ? new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["type"] = "string", ["pattern"] = "^[^:]+:.+$" }, node) }
            : node;
    }
}
