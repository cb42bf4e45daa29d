using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Schemas;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents.Output;

/// <summary>What an agent's final answer must be: JSON that fits a schema.</summary>
/// <param name="Schema">The JSON Schema.</param>
/// <param name="Name">What model servers are told that it is called.</param>
public sealed record OutputFormat(JsonElement Schema, string Name)
{
    private const string DefaultName = "answer";

    /// <summary>What model servers are told.</summary>
    public ChatResponseFormat ForModel { get; } = ChatResponseFormat.ForJsonSchema(Schema, Name);

    /// <summary>What is wrong with a text as the answer; empty where it fits, and <paramref name="value"/> is its JSON.</summary>
    public IReadOnlyList<SchemaFault> Check(string text, out JsonElement value)
    {
        try
        {
            value = JsonElement.Parse(JsonText.Bare(text));
        }
        catch (JsonException exception)
        {
            value = default;
            return [new SchemaFault("$", SchemaFaultKind.Type, $"is no JSON: {exception.Message}")];
        }
        return JsonSchemaChecker.Check(value, Schema);
    }

    /// <summary>Where in a definition's <c>response_format</c> its schema stands, and that schema; null where it has none of the known forms.</summary>
    internal static (string Path, JsonElement Schema, string Name)? Find(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            return null;
        }
        return json.TextProperty("type") switch
        {
            "json_schema" when json.Property("json_schema") is { } nested && nested.Property("schema") is { } schema =>
                (".json_schema.schema", schema, nested.TextProperty("name") ?? DefaultName),
            "json_schema" => json.Property("schema") is { } schema ? (".schema", schema, json.TextProperty("name") ?? DefaultName) : null,
            "json_object" => ("", JsonElement.Parse("""{"type": "object"}"""), DefaultName),
            "text" => null,
            _ => ("", json, json.TextProperty("title") is { } title && title.All(it => char.IsAsciiLetterOrDigit(it) || it is '_' or '-') ? title : DefaultName),
        };
    }

    /// <summary>Reads a definition's <c>response_format</c> that has been checked.</summary>
    internal static OutputFormat? Read(JsonElement? json) => json is { } given && Find(given) is { } found ? new OutputFormat(found.Schema, found.Name) : null;
}
