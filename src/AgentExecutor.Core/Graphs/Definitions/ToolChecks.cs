using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Checks of <c>tool_definitions</c>.</summary>
internal static class ToolChecks
{
    public static IEnumerable<DefinitionFault> Check(AgentDefinition definition, ToolCatalog catalog)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var tools = definition.ToolDefinitions ?? [];
        for (var i = 0; i < tools.Count; i++)
        {
            var (tool, path) = (tools[i], $"$.tool_definitions[{i}]");
            if (!Names.IsValid(tool.Name))
            {
                yield return new DefinitionFault(DefinitionCodes.InvalidName, $"{path}.name", $"'{tool.Name}' is no tool name", Names.Rule);
            }
            if (!seen.Add(tool.Name))
            {
                yield return new DefinitionFault(DefinitionCodes.DuplicateName, $"{path}.name", $"two tools are called '{tool.Name}'", "rename one of them");
            }
            foreach (var fault in CheckOne(tool, path, catalog))
            {
                yield return fault;
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckOne(ToolDefinition tool, string path, ToolCatalog catalog)
    {
        if (tool.Effects is { } effects && effects is not ("none" or "idempotent" or "once"))
        {
            yield return new DefinitionFault(DefinitionCodes.WrongValue, $"{path}.effects", $"there is no kind of effects '{effects}'", "use none, idempotent or once");
        }
        if (tool.Parameters is { } parameters && parameters.ValueKind is not JsonValueKind.Object)
        {
            yield return new DefinitionFault(DefinitionCodes.WrongType, $"{path}.parameters", "the parameters are no JSON Schema", """write {"type": "object", "properties": {...}}""");
        }
        if (tool.RuntimeType == ToolCatalog.BuiltinRuntime)
        {
            if (ToolCatalog.FindBuiltin(tool.Name) is null)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownTool, path, $"there is no built-in tool '{tool.Name}'",
                    "say how it is run in 'runtime' (script or http), or name one of " + string.Join(", ", ToolCatalog.Builtin.Select(builtin => builtin.Name)));
            }
            yield break;
        }
        if (ToolCatalog.FindBuiltin(tool.Name) is not null || tool.Name == TaskTool.ToolName)
        {
            yield return new DefinitionFault(DefinitionCodes.DuplicateName, $"{path}.name", $"'{tool.Name}' is the name of a built-in tool", "rename it");
        }
        if (catalog.Find(tool.RuntimeType) is not { } source)
        {
            yield return new DefinitionFault(
                DefinitionCodes.UnknownRuntime, $"{path}.runtime.type", $"tools of runtime '{tool.RuntimeType}' cannot be run here", $"use one of {string.Join(", ", catalog.Runtimes)}");
            yield break;
        }
        foreach (var fault in source.Check(tool))
        {
            yield return new DefinitionFault(fault.Code, $"{path}.{fault.Path}", fault.Message, fault.Hint);
        }
    }
}
