using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks <c>tool_definitions</c>.</summary>
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
                yield return new DefinitionFault(
                    DefinitionCodes.InvalidName,
                    $"{path}.name",
                    $"'{tool.Name}' is not a valid tool name",
                    Names.Rule
                );
            }
            if (!seen.Add(tool.Name))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.DuplicateName,
                    $"{path}.name",
                    $"two tools have the name '{tool.Name}'",
                    "give one of the tools another name"
                );
            }
            foreach (var fault in ToolPolicyChecks.Check(tool, path).Concat(CheckOne(tool, path, catalog)))
            {
                yield return fault;
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckOne(ToolDefinition tool, string path, ToolCatalog catalog)
    {
        if (tool.Effects is { } effects && effects is not ("none" or "idempotent" or "once"))
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                $"{path}.effects",
                $"'{effects}' is not a kind of side effects",
                "use none, idempotent or once"
            );
        }
        if (tool.Parameters is { } parameters && parameters.ValueKind is not JsonValueKind.Object)
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongType,
                $"{path}.parameters",
                "the parameters are not a JSON Schema",
                """write {"type": "object", "properties": {...}}"""
            );
        }
        if (tool.RuntimeType == ToolCatalog.BuiltinRuntime)
        {
            if (ToolCatalog.FindBuiltin(tool.Name) is null)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownTool,
                    path,
                    $"there is no built-in tool '{tool.Name}'",
                    "set 'runtime' (script or http), or use one of the built-in tools: "
                        + string.Join(", ", ToolCatalog.Builtin.Select(builtin => builtin.Name))
                );
            }
            yield break;
        }
        if (ToolCatalog.FindBuiltin(tool.Name) is not null || tool.Name == TaskTool.ToolName)
        {
            yield return new DefinitionFault(
                DefinitionCodes.DuplicateName,
                $"{path}.name",
                $"'{tool.Name}' is the name of a built-in tool",
                "choose another name"
            );
        }
        if (catalog.Find(tool.RuntimeType) is not { } source)
        {
            yield return new DefinitionFault(
                DefinitionCodes.UnknownRuntime,
                $"{path}.runtime.type",
                $"the tool runtime '{tool.RuntimeType}' is not available here",
                $"use one of {string.Join(", ", catalog.Runtimes)}"
            );
            yield break;
        }
        foreach (var fault in source.Check(tool))
        {
            yield return new DefinitionFault(fault.Code, $"{path}.{fault.Path}", fault.Message, fault.Hint, fault.IsWarning)
            {
                IsEnvironment = fault.IsEnvironment,
            };
        }
    }
}
