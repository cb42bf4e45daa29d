using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks <c>response_format</c>: its form, and that its schema is a valid JSON Schema.</summary>
internal static class OutputChecks
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part, NodeConfig config, int index)
    {
        if (config.ResponseFormat is not { } json)
        {
            return [];
        }
        var path = part.PathOf(index, "response_format");
        return OutputFormat.Find(json) is { } found
            ? JsonSchemaChecker
                .CheckSchema(found.Schema)
                .Select(fault => new DefinitionFault(
                    DefinitionCodes.InvalidSchema,
                    $"{path}{found.Path}{fault.Path[1..]}",
                    $"the value {fault.Message}",
                    "see json-schema.org for the format of a schema"
                ))
            :
            [
                new DefinitionFault(
                    DefinitionCodes.WrongValue,
                    path,
                    "the value is not a response format",
                    """write {"type": "json_schema", "schema": {"type": "object", "properties": {...}}}"""
                ),
            ];
    }
}
