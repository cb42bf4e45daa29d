using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Definitions;

/// <summary>
/// Reads a definition from JSON and normalizes it: the fields of a node are collected in <c>config</c>, wherever the author wrote them, and
/// a model written as a string becomes an object. All structural problems are reported at once, each with the path at which the author
/// wrote the field.
/// </summary>
public static class DefinitionReader
{
    public const int MaxBytes = 4 * 1024 * 1024;

    private const string Comment = "$comment";

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static DefinitionSource Read(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
        {
            return new DefinitionSource(
                default,
                null,
                [
                    new DefinitionFault(
                        DefinitionCodes.TooLarge,
                        "$",
                        $"the definition has {utf8.Length} bytes, but at most {MaxBytes} are allowed",
                        "move large texts out of the definition"
                    ),
                ]
            );
        }
        try
        {
            var text = utf8.Span.StartsWith(ByteOrderMark) ? utf8.Span[ByteOrderMark.Length..] : utf8.Span;
            return Read(InputJson.ParseHandwritten(text));
        }
        catch (JsonException exception)
        {
            return new DefinitionSource(
                default,
                null,
                [
                    new DefinitionFault(
                        DefinitionCodes.NotJson,
                        "$",
                        $"the definition is not valid JSON: {exception.Message}",
                        "correct the JSON at the line named in the message"
                    ),
                ]
            );
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
            JsonPaths.Blank(normal, fault.Path); // the valid part can still be read and checked, so that all problems are reported together
        }
        Normalize(normal);
        RemoveComments(normal);
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
            return null; // there are too many structural problems to read the rest
        }
    }

    private static void Normalize(JsonObject owner)
    {
        Fill(owner, "tool_definitions", "name");
        Fill(owner, "nodes", "id");
        (owner["initial_state"] as JsonObject)?.Remove(Comment);
        foreach (var edge in Objects(owner, "edges"))
        {
            edge["from"] ??= edge["source"]?.DeepClone() ?? "";
            edge["to"] ??= edge["target"]?.DeepClone() ?? "";
        }
        foreach (var tool in Objects(owner, "tool_definitions"))
        {
            (tool["runtime"]?["headers"] as JsonObject)?.Remove(Comment);
            NormalizeScript(tool);
            (tool["runtime"]?["query"] as JsonObject)?.Remove(Comment);
            (tool["runtime"]?["env"] as JsonObject)?.Remove(Comment);
        }
        foreach (var node in Objects(owner, "nodes"))
        {
            node["type"] = NodeTypes.Normal(node["type"]?.GetValue<string>());
            var config = node["config"] as JsonObject ?? [];
            foreach (var field in node.Where(field => field.Key is not ("id" or "type" or "config")).ToList())
            {
                node.Remove(field.Key);
                config[field.Key] ??= field.Value;
            }
            node["config"] = config;
            NormalizeModel(config, "model");
            RemoveComments(config);
            Normalize(config);
        }
    }

    /// <summary>Moves the script of an older definition, which is beside the name of the tool, to <c>runtime</c>.</summary>
    private static void NormalizeScript(JsonObject tool)
    {
        if (tool["script"] is null)
        {
            return;
        }
        var runtime = tool["runtime"] as JsonObject ?? [];
        foreach (var field in (string[])["script", "dependencies"])
        {
            runtime[field] ??= tool[field]?.DeepClone();
            tool.Remove(field);
        }
        tool["runtime"] = runtime;
    }

    /// <summary>
    /// Removes comments from objects whose property names the author chooses, where a comment would be taken for such a name.
    /// </summary>
    private static void RemoveComments(JsonObject owner)
    {
        StateSchemaForm.Normalize(owner);
        (owner["interrupt_on"] as JsonObject)?.Remove(Comment);
        (owner["assign"] as JsonObject)?.Remove(Comment);
        (owner["state_schema"]?["properties"] as JsonObject)?.Remove(Comment);
    }

    private static IEnumerable<JsonObject> Objects(JsonObject owner, string list) => (owner[list] as JsonArray ?? []).OfType<JsonObject>();

    private static void NormalizeModel(JsonObject owner, string field)
    {
        if (owner[field] is { } model && NormalModel(model) is { } read)
        {
            owner[field] = read;
        }
    }

    /// <summary>
    /// Converts a model that is written as a string to its object form. Returns null if it already is an object; its fallbacks are
    /// converted in place.
    /// </summary>
    private static JsonObject? NormalModel(JsonNode model)
    {
        if (
            model is JsonValue text
            && text.TryGetValue<string>(out var name)
            && name.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon
        )
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

    /// <summary>Sets missing names to the empty string, so that later checks can report them.</summary>
    private static void Fill(JsonObject owner, string list, params ReadOnlySpan<string> names)
    {
        foreach (var item in Objects(owner, list))
        {
            foreach (var name in names)
            {
                item[name] ??= "";
            }
        }
    }

    private static DefinitionFault ToFault(SchemaFault fault, JsonElement json) =>
        fault.Kind switch
        {
            SchemaFaultKind.Unknown => UnknownFields.Fault(fault),
            SchemaFaultKind.Missing when fault is { Path: "$", Message: "lacks 'nodes'" } => new DefinitionFault(
                DefinitionCodes.NoNodes,
                "$.nodes",
                "the definition has no nodes",
                """add "nodes": [{"id": "...", "type": "orchestrator", "config": {...}}]"""
            ),
            SchemaFaultKind.Missing => new DefinitionFault(
                DefinitionCodes.MissingField,
                fault.Path,
                $"the value {fault.Message}",
                "add the field"
            ),
            _ when fault.Path.EndsWith(".model", StringComparison.Ordinal) || fault.Path.EndsWith(".switch_to", StringComparison.Ordinal) =>
                new DefinitionFault(
                    DefinitionCodes.WrongValue,
                    fault.Path,
                    "the value is not a model",
                    """write "provider:model", such as "openai:gpt-6-luna", or an object with 'provider' and 'model'"""
                ),
            SchemaFaultKind.Type => new DefinitionFault(
                DefinitionCodes.WrongType,
                fault.Path,
                $"the value {fault.Message}",
                "see docs/agent-definition.schema.json"
            ),
            _ => new DefinitionFault(
                DefinitionCodes.WrongValue,
                fault.Path,
                $"the value {fault.Message}",
                "see docs/agent-definition.schema.json"
            ),
        };
}

/// <summary>A definition in its original and its parsed form.</summary>
/// <param name="Json">The original JSON; undefined if the text is not JSON.</param>
/// <param name="Definition">The parsed definition, without the parts that have structural problems; null if nothing could be
/// parsed.</param>
/// <param name="Faults">The structural problems.</param>
public sealed record DefinitionSource(JsonElement Json, AgentDefinition? Definition, IReadOnlyList<DefinitionFault> Faults)
{
    /// <summary>Returns the path of a node's field, as the author wrote it.</summary>
    public static string PathOf(JsonElement node, string nodePath, string field) =>
        node.Property("config") is { } config && (config.Property(field) is not null || node.Property(field) is null)
            ? $"{nodePath}.config.{field}"
            : $"{nodePath}.{field}";
}
