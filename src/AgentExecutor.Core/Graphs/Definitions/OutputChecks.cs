using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Checks of <c>response_format</c>: its form, and that its schema is one.</summary>
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
            ? JsonSchemaChecker.CheckSchema(found.Schema).Select(fault => new DefinitionFault(
                DefinitionCodes.InvalidSchema, $"{path}{found.Path}{fault.Path[1..]}", $"it {fault.Message}", "see json-schema.org for what a schema may hold"))
            : [new DefinitionFault(
                DefinitionCodes.WrongValue, path, "it is no response format", """write {"type": "json_schema", "schema": {"type": "object", "properties": {...}}}""")];
    }
}
