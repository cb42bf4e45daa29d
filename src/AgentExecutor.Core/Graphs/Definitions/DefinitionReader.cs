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

    private static readonly JsonDocumentOptions ReadOptions = new()
    {
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip,
        AllowDuplicateProperties = false,
    };

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static DefinitionSource Read(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
        {
            return new DefinitionSource(default, null, [new DefinitionFault(
                DefinitionCodes.TooLarge, "$", $"the definition has {utf8.Length} bytes, and {MaxBytes} are allowed", "move large texts out of it")]);
        }
        try
        {
            var text = utf8.Span.StartsWith(ByteOrderMark) ? utf8.Span[ByteOrderMark.Length..] : utf8.Span;
            return Read(JsonElement.Parse(text, ReadOptions));
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
        if (faults.Exists(fault => fault.Path == "$") || json.Property("nodes") is null)
        {
            return new DefinitionSource(json, null, faults);
        }
        var normal = JsonObject.Create(json)!;
        foreach (var fault in faults.Where(fault => !fault.IsWarning))
        {
            JsonPaths.Blank(normal, fault.Path); // so that what is right can be read, and its sense be checked in the same go
        }
        Normalize(normal);
        if (normal["budget"] is JsonObject budget)
        {
            NormalizeModel(budget, "switch_to");
        }
        return new DefinitionSource(json, TryDeserialize(normal), faults);
    }

    private static AgentDefinition? TryDeserialize(JsonObject normal)
    {
        try
        {
            return normal.Deserialize(DefinitionJson.Default.AgentDefinition);
        }
        catch (JsonException)
        {
            return null; // the faults of shape were too many to read around them
        }
    }

    private static void Normalize(JsonObject owner)
    {
        Fill(owner, "tool_definitions", "name");
        Fill(owner, "edges", "from", "to");
        Fill(owner, "nodes", "id", "type");
        foreach (var node in (owner["nodes"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var config = node["config"] as JsonObject ?? [];
            foreach (var field in node.Where(field => field.Key is not ("id" or "type" or "config")).ToList())
            {
                node.Remove(field.Key);
                config[field.Key] ??= field.Value;
            }
            node["config"] = config;
            NormalizeModel(config, "model");
            Normalize(config);
        }
    }

    private static void NormalizeModel(JsonObject owner, string field)
    {
        if (owner[field] is { } model && NormalModel(model) is { } read)
        {
            owner[field] = read;
        }
    }

    /// <summary>The object form of a model that is written as a text; null where it is an object already, its fallbacks made so.</summary>
    private static JsonObject? NormalModel(JsonNode model)
    {
        if (model is JsonValue text && text.TryGetValue<string>(out var name) && name.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon)
        {
            return new JsonObject { ["provider"] = name[..colon], ["model"] = name[(colon + 1)..] };
        }
        if (model is JsonObject && model["fallbacks"] is JsonArray fallbacks)
        {
            for (var i = 0; i < fallbacks.Count; i++)
            {
                if (fallbacks[i] is { } fallback && NormalModel(fallback) is { } read)
                {
                    fallbacks[i] = read;
                }
            }
        }
        return null;
    }

    /// <summary>Names that are missing are empty: the checks of their sense say so.</summary>
    private static void Fill(JsonObject owner, string list, params ReadOnlySpan<string> names)
    {
        foreach (var item in (owner[list] as JsonArray ?? []).OfType<JsonObject>())
        {
            foreach (var name in names)
            {
                item[name] ??= "";
            }
        }
    }

    private static DefinitionFault ToFault(SchemaFault fault, JsonElement json) => fault.Kind switch
    {
        SchemaFaultKind.Unknown => Unknown(fault),
        SchemaFaultKind.Missing when fault is { Path: "$", Message: "lacks 'nodes'" } => new DefinitionFault(
            DefinitionCodes.NoNodes, "$.nodes", "the definition has no nodes", """write "nodes": [{"id": "...", "type": "orchestrator", "config": {...}}]"""),
        SchemaFaultKind.Missing => new DefinitionFault(DefinitionCodes.MissingField, fault.Path, $"it {fault.Message}", "add the field"),
        _ when fault.Path.EndsWith(".model", StringComparison.Ordinal) || fault.Path.EndsWith(".switch_to", StringComparison.Ordinal) => new DefinitionFault(
            DefinitionCodes.WrongValue, fault.Path, "it names no model", """write "provider:model", such as "openai:gpt-6-luna", or an object with 'provider' and 'model'"""),
        SchemaFaultKind.Type => new DefinitionFault(DefinitionCodes.WrongType, fault.Path, $"it {fault.Message}", "see docs/agent-definition.schema.json"),
        _ => new DefinitionFault(DefinitionCodes.WrongValue, fault.Path, $"it {fault.Message}", "see docs/agent-definition.schema.json"),
    };

    private static DefinitionFault Unknown(SchemaFault fault)
    {
        var name = fault.Path[(fault.Path.LastIndexOf('.') + 1)..];
        var near = Spelling.Nearest(name, KnownFields);
        if (name is "api_key" or "apikey" or "apiKey" or "key" or "token" or "secret" or "password")
        {
            return new DefinitionFault(
                DefinitionCodes.UnknownField, fault.Path, "definitions are stored, and hold no keys",
                "remove it; keys come from the environment, such as OPENAI_API_KEY or ANTHROPIC_API_KEY");
        }
        var bounds = fault.Path.StartsWith("$.budget.", StringComparison.Ordinal) || fault.Path.Contains("limits.", StringComparison.Ordinal);
        return new DefinitionFault(
            DefinitionCodes.UnknownField,
            fault.Path,
            bounds ? $"there is no field '{name}' here, and so nothing would be bounded by it" : $"there is no field '{name}' here; it is ignored",
            near is null ? "remove it" : $"did you mean '{near}'?",
            IsWarning: !bounds);
    }

    private static IEnumerable<string> KnownFields => typeof(AgentDefinition).GetProperties()
        .Concat(typeof(NodeDefinition).GetProperties()).Concat(typeof(ModelDefinition).GetProperties()).Concat(typeof(ToolDefinition).GetProperties())
        .Concat(typeof(EdgeDefinition).GetProperties()).Concat(typeof(LimitsDefinition).GetProperties()).Concat(typeof(ToolRuntimeDefinition).GetProperties())
        .Concat(typeof(BudgetDefinition).GetProperties()).Concat(typeof(SharedSpendingDefinition).GetProperties())
        .Select(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)).Distinct();
}

/// <summary>A definition as written and as read.</summary>
/// <param name="Json">As written; undefined where it is no JSON.</param>
/// <param name="Definition">As read, without what has faults of shape; null where nothing could be read.</param>
/// <param name="Faults">What is wrong with its shape.</param>
public sealed record DefinitionSource(JsonElement Json, AgentDefinition? Definition, IReadOnlyList<DefinitionFault> Faults)
{
    /// <summary>The path of a node's field, at the place where the author wrote it.</summary>
    public static string PathOf(JsonElement node, string nodePath, string field) =>
        node.Property("config") is { } config && (config.Property(field) is not null || node.Property(field) is null)
            ? $"{nodePath}.config.{field}" : $"{nodePath}.{field}";
}
