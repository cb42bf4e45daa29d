using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>
/// Reads a definition from JSON: both placements of a node's fields become <c>config</c>, a model's text form its object form.
/// Every fault of shape is found at once, each under the path at which the author wrote it.
/// </summary>
public static class DefinitionReader
{
    public const int MaxBytes = 4 * 1024 * 1024;

    public static DefinitionSource Read(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
        {
            return new DefinitionSource(default, null, [new DefinitionFault(
                DefinitionCodes.TooLarge, "$", $"the definition has {utf8.Length} bytes, and {MaxBytes} are allowed", "move large texts out of it")]);
        }
        try
        {
            return Read(JsonElement.Parse(utf8.Span, new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }));
        }
        catch (JsonException exception)
        {
            return new DefinitionSource(default, null, [new DefinitionFault(
                DefinitionCodes.NotJson, "$", $"it is no JSON: {exception.Message}", "mend the JSON at the line that it names")]);
        }
    }

    private static DefinitionSource Read(JsonElement json)
    {
        var faults = JsonSchemaChecker.Check(json, DefinitionSchema.Root).Select(fault => ToFault(fault, json)).ToList();
        if (faults.Exists(fault => !fault.IsWarning))
        {
            return new DefinitionSource(json, null, faults);
        }
        var normal = JsonObject.Create(json)!;
        Normalize(normal);
        return new DefinitionSource(json, normal.Deserialize(DefinitionJson.Default.AgentDefinition), faults);
    }

    private static void Normalize(JsonObject owner)
    {
        foreach (var node in (owner["nodes"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var config = node["config"] as JsonObject ?? [];
            foreach (var field in node.Where(field => field.Key is not ("id" or "type" or "config")).ToList())
            {
                node.Remove(field.Key);
                config[field.Key] ??= field.Value;
            }
            node["config"] = config;
            if (config["model"] is JsonValue text && text.TryGetValue<string>(out var name))
            {
                var colon = name.IndexOf(':', StringComparison.Ordinal);
                config["model"] = new JsonObject { ["provider"] = name[..colon], ["model"] = name[(colon + 1)..] };
            }
            Normalize(config);
        }
    }

    private static DefinitionFault ToFault(SchemaFault fault, JsonElement json) => fault.Kind switch
    {
        SchemaFaultKind.Unknown => Unknown(fault),
        SchemaFaultKind.Missing when fault is { Path: "$", Message: "lacks 'nodes'" } => new DefinitionFault(
            DefinitionCodes.NoNodes, "$.nodes", "the definition has no nodes", """write "nodes": [{"id": "...", "type": "orchestrator", "config": {...}}]"""),
        SchemaFaultKind.Missing => new DefinitionFault(DefinitionCodes.MissingField, fault.Path, $"it {fault.Message}", "add the field"),
        SchemaFaultKind.Type => new DefinitionFault(DefinitionCodes.WrongType, fault.Path, $"it {fault.Message}", "see docs/agent-definition.schema.json"),
        _ => new DefinitionFault(DefinitionCodes.WrongValue, fault.Path, $"it {fault.Message}", "see docs/agent-definition.schema.json"),
    };

    private static DefinitionFault Unknown(SchemaFault fault)
    {
        var name = fault.Path[(fault.Path.LastIndexOf('.') + 1)..];
        var near = Spelling.Nearest(name, KnownFields);
        return new DefinitionFault(
            DefinitionCodes.UnknownField,
            fault.Path,
            $"there is no field '{name}' here; it is ignored",
            near is null ? "remove it" : $"did you mean '{near}'?",
            IsWarning: true);
    }

    private static IEnumerable<string> KnownFields => typeof(AgentDefinition).GetProperties()
        .Concat(typeof(NodeDefinition).GetProperties()).Concat(typeof(ModelDefinition).GetProperties()).Concat(typeof(ToolDefinition).GetProperties())
        .Concat(typeof(EdgeDefinition).GetProperties()).Concat(typeof(LimitsDefinition).GetProperties()).Concat(typeof(ToolRuntimeDefinition).GetProperties())
        .Select(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)).Distinct();
}

/// <summary>A definition as written and as read.</summary>
/// <param name="Json">As written; undefined where it is no JSON.</param>
/// <param name="Definition">As read; null where its shape has faults.</param>
/// <param name="Faults">What is wrong with its shape.</param>
public sealed record DefinitionSource(JsonElement Json, AgentDefinition? Definition, IReadOnlyList<DefinitionFault> Faults)
{
    /// <summary>The path of a node's field, at the place where the author wrote it.</summary>
    public static string PathOf(JsonElement node, string nodePath, string field) =>
        node.Property("config") is { } config && (config.Property(field) is not null || node.Property(field) is null)
            ? $"{nodePath}.config.{field}" : $"{nodePath}.{field}";
}
