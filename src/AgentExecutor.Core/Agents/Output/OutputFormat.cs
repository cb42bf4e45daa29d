using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Schemas;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents.Output;

/// <summary>The required format of an agent's final answer: JSON that matches a schema.</summary>
/// <param name="Schema">The JSON Schema.</param>
/// <param name="Name">The name of the schema, as sent to model servers.</param>
public sealed record OutputFormat(JsonElement Schema, string Name)
{
    private const string DefaultName = "answer";

    /// <summary>The response format as sent to model servers.</summary>
    public ChatResponseFormat ForModel { get; } = ChatResponseFormat.ForJsonSchema(Schema, Name);

    /// <summary>Returns the problems of a text as the answer. If there are none, <paramref name="value"/> is its JSON.</summary>
    public IReadOnlyList<SchemaFault> Check(string text, out JsonElement value)
    {
        try
        {
            value = InputJson.Parse(JsonText.Bare(text));
        }
        catch (JsonException exception)
        {
            value = default;
            return [new SchemaFault("$", SchemaFaultKind.Type, $"is not valid JSON: {exception.Message}")];
        }
        return JsonSchemaChecker.Check(value, Schema);
    }

    /// <summary>
    /// Finds the schema in a definition's <c>response_format</c>, with its path. Returns null if the value has none of the known forms.
    /// </summary>
    internal static (string Path, JsonElement Schema, string Name)? Find(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            return null;
        }
        return json.TextProperty("type") switch
        {
            "json_schema" when json.Property("json_schema") is { } nested && nested.Property("schema") is { } schema => (
                ".json_schema.schema",
                schema,
                nested.TextProperty("name") ?? DefaultName
            ),
            "json_schema" => json.Property("schema") is { } schema ? (".schema", schema, json.TextProperty("name") ?? DefaultName) : null,
            "json_object" => ("", StoredJson.Parse("""{"type": "object"}"""), DefaultName),
            "text" => null,
            _ => ("", json, json.TextProperty("title") is { } title && IsValidName(title) ? title : DefaultName),
        };
    }

    /// <summary>Reads a definition's <c>response_format</c> after validation.</summary>
    internal static OutputFormat? Read(JsonElement? json) =>
        json is { } given && Find(given) is { } found ? new OutputFormat(found.Schema, found.Name) : null;

    private static bool IsValidName(string name) => name.All(static it => char.IsAsciiLetterOrDigit(it) || it is '_' or '-');
}
