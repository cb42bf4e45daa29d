using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks agents: their names, tools, models, output formats and approvals.</summary>
internal static class AgentChecks
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part, AgentDefinition definition, DefinitionEnvironment environment)
    {
        var isDeepAgent = part is { IsWorkflow: false, LacksStart: false, Path: "$" };
        var orchestrators = part.Each().Where(it => it.Node.Type == NodeTypes.Orchestrator).ToList();
        if (isDeepAgent && orchestrators.Count > 1)
        {
            yield return new DefinitionFault(
                DefinitionCodes.SeveralOrchestrators,
                part.PathOf(orchestrators[1].Index) + ".type",
                "the definition has more than one orchestrator",
                "keep one orchestrator and make the others specialists"
            );
        }
        if (isDeepAgent && part.Nodes.Count > 0 && part.Orchestrator is null)
        {
            yield return new DefinitionFault(
                DefinitionCodes.NoStart,
                $"{part.Path}.nodes",
                "the definition has no agent to start with",
                "make one node an orchestrator, or add edges from START"
            );
        }
        foreach (var (node, config, index) in part.Each().Where(it => NodeTypes.IsAgent(it.Node.Type)))
        {
            IEnumerable<DefinitionFault> faults =
            [
                .. CheckName(part, config, index),
                .. CheckTools(part, config, index, definition),
                .. SkillChecks.CheckAgent(part, config, index, definition, environment.Skills),
                .. ModelChecks.Check(part, config, index, definition.Budget, environment),
                .. OutputChecks.Check(part, config, index),
                .. CheckToolChoice(part, node, config, index, definition),
                .. CheckApprovals(part, config, index, definition),
                .. isDeepAgent ? CheckSpecialist(part, node, config, index) : [],
            ];
            foreach (var fault in faults)
            {
                yield return fault;
            }
        }
    }

    public static IEnumerable<string> ToolNames(AgentDefinition definition) =>
        (definition.ToolDefinitions ?? [])
            .Select(tool => tool.Name)
            .Concat(ToolCatalog.Builtin.Concat(ToolCatalog.Optional).Select(tool => tool.Name))
            .Append(TaskTool.ToolName)
            .Distinct();

    /// <summary>Returns true if a tool definition stands for several tools, to which a tool with this name may belong.</summary>
    private static bool IsOfGroup(string tool, AgentDefinition definition) =>
        (definition.ToolDefinitions ?? []).Any(it => it.NamePrefix() is { } prefix && tool.StartsWith(prefix, StringComparison.Ordinal));

    private static IEnumerable<DefinitionFault> CheckName(GraphPart part, NodeConfig config, int index) =>
        config.Name is not { Length: > 0 } name || Names.IsAgentName(name)
            ? []
            :
            [
                new DefinitionFault(
                    DefinitionCodes.InvalidName,
                    part.PathOf(index, "name"),
                    "the text is not a valid agent name",
                    Names.AgentRule
                ),
            ];

    private static IEnumerable<DefinitionFault> CheckTools(GraphPart part, NodeConfig config, int index, AgentDefinition definition)
    {
        var names = config.Tools ?? [];
        for (var i = 0; i < names.Count; i++)
        {
            if (!ToolNames(definition).Contains(names[i]))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownTool,
                    $"{part.PathOf(index, "tools")}[{i}]",
                    $"there is no tool '{names[i]}'",
                    Spelling.Hint(names[i], ToolNames(definition), "tools")
                );
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckApprovals(GraphPart part, NodeConfig config, int index, AgentDefinition definition)
    {
        foreach (var (tool, policy) in config.InterruptOn ?? new Dictionary<string, JsonElement>())
        {
            var path = $"{part.PathOf(index, "interrupt_on")}.{tool}";
            if (!ToolNames(definition).Contains(tool) && !IsOfGroup(tool, definition))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownTool,
                    path,
                    $"there is no tool '{tool}'",
                    Spelling.Hint(tool, ToolNames(definition), "tools")
                );
            }
            _ = AgentCompiler.ReadPolicy(policy, ToolCatalog.FindOptional(tool) is { AsksItself: true }, out var fault);
            if (fault.Length > 0)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.WrongValue,
                    path,
                    fault,
                    """write true, or {"allowed": ["approve", "edit", "reject", "respond"]}"""
                );
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckToolChoice(
        GraphPart part,
        NodeDefinition node,
        NodeConfig config,
        int index,
        AgentDefinition definition
    )
    {
        if (config.ToolChoice is not { } choice || new ToolChoice(choice).Tool is not { } name)
        {
            yield break;
        }
        var own = (config.Tools ?? []).Where(ToolNames(definition).Contains).Concat(ToolCatalog.Builtin.Select(tool => tool.Name));
        var known =
            part is { IsWorkflow: false, Path: "$" } && node == part.Orchestrator ? own.Append(TaskTool.ToolName).ToList() : [.. own];
        if (!known.Contains(name))
        {
            yield return new DefinitionFault(
                DefinitionCodes.UnknownTool,
                part.PathOf(index, "tool_choice"),
                $"the agent has no tool '{name}'",
                $"use auto, none, required, or one of its tools: {Spelling.Hint(name, known, "tools")}"
            );
        }
    }

    private static IEnumerable<DefinitionFault> CheckSpecialist(GraphPart part, NodeDefinition node, NodeConfig config, int index)
    {
        if (node == part.Orchestrator)
        {
            yield break;
        }
        var name = AgentCompiler.NameOf(node);
        var isTaken =
            name == AgentCompiler.GeneralPurpose
            || part.Nodes.Take(index).Any(other => other != part.Orchestrator && AgentCompiler.NameOf(other) == name);
        if (isTaken)
        {
            yield return new DefinitionFault(
                DefinitionCodes.DuplicateName,
                part.PathOf(index, "name"),
                $"the agent name '{name}' is already in use",
                "give one of the agents another name"
            );
        }
        if (string.IsNullOrWhiteSpace(config.Description))
        {
            yield return new DefinitionFault(
                DefinitionCodes.MissingDescription,
                part.PathOf(index, "description"),
                $"the orchestrator does not know what '{name}' is for, because it has no description",
                "describe when to delegate a task to it",
                IsWarning: true
            );
        }
    }
}
