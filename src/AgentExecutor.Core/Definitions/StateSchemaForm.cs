using System.Text.Json.Nodes;

namespace AgentExecutor.Core.Definitions;

/// <summary>
/// Converts the state schema of older definitions, <c>{channel: {type, reducer}}</c>, to the form with <c>properties</c>, and the names of
/// their reducers to the names of this program.
/// </summary>
internal static class StateSchemaForm
{
    private const string Properties = "properties";

    private static readonly HashSet<string> Numbers = new(["int", "integer", "float", "number"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> MessageTypes = new(
        ["message", "messages", "basemessage", "anymessage"],
        StringComparer.OrdinalIgnoreCase
    );

    /// <summary>Converts the field <c>state_schema</c> of a definition or a node in place.</summary>
    public static void Normalize(JsonObject owner)
    {
        if (owner["state_schema"] is not JsonObject schema)
        {
            return;
        }
        if (schema[Properties] is not JsonObject channels)
        {
            channels = [];
            foreach (var field in schema.Where(field => field.Value is JsonObject).ToList())
            {
                schema.Remove(field.Key);
                channels[field.Key] = field.Value;
            }
            schema[Properties] = channels;
        }
        foreach (var channel in channels.Select(field => field.Value).OfType<JsonObject>())
        {
            if (Text(channel["reducer"]) is { } reducer)
            {
                channel["reducer"] = Reducer(reducer, Text(channel["type"]), Text(channel["item_type"]));
            }
        }
    }

    /// <summary>Returns the reducer by its name here. An unknown name is returned unchanged.</summary>
    private static string Reducer(string written, string? type, string? itemType) =>
        written.Trim().ToLowerInvariant() switch
        {
            "add_messages" => itemType is not null && MessageTypes.Contains(itemType) ? "messages" : "append",
            "add" or "operator.add" or "increment" => type is not null && Numbers.Contains(type) ? "sum" : "append",
            "extend" or "concat" or "concatenate" or "list_append" => "append",
            "update" or "dict_merge" or "merge_dicts" or "merge_dict" => "merge",
            "replace" or "overwrite" or "override" or "last" or "last_value" => "last_value",
            "union" => "set",
            _ => written,
        };

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
