using System.ComponentModel;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>The JSON Schema of agent definitions, made from the types that read them.</summary>
public static class DefinitionSchema
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string Text = Make();

    /// <summary>For checking: the schema as JSON.</summary>
    internal static JsonElement Root { get; } = JsonElement.Parse(Text);

    /// <summary>For people and editors: the schema as indented text, with a closing newline.</summary>
    public static string ToText() => Text;

    private static string Make()
    {
        var exporter = new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Describe };
        var schema = DefinitionJson.Default.AgentDefinition.GetJsonSchemaAsNode(exporter).AsObject();
        schema.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.Insert(1, "title", "AgentExecutor agent definition");
        schema["required"] = new JsonArray("nodes");
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
            node["$ref"] = reference.GetValue<string>().Replace("/model/properties/", "/model/anyOf/1/properties/", StringComparison.Ordinal); // see the end
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
        if (node.ContainsKey("properties") && context.TypeInfo.Type.Namespace == typeof(DefinitionSchema).Namespace && context.TypeInfo.Type != typeof(ChannelDefinition) && context.TypeInfo.Type != typeof(StateSchema))
        {
            node["additionalProperties"] = false;
        }
        return context.TypeInfo.Type == typeof(ModelDefinition)
            ? new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["type"] = "string", ["pattern"] = "^[^:]+:.+$" }, node) }
            : node;
    }
}
