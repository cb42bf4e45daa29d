using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Checks of agents: their tools, models and names.</summary>
internal static class AgentChecks
{
    public static IEnumerable<DefinitionFault> Check(GraphPart part, AgentDefinition definition, DefinitionEnvironment environment)
    {
        var isDeepAgent = part is { IsWorkflow: false, Path: "$" };
        var orchestrators = part.Each().Where(it => it.Node.Type == NodeTypes.Orchestrator).ToList();
        if (isDeepAgent && orchestrators.Count > 1)
        {
            yield return new DefinitionFault(
                DefinitionCodes.SeveralOrchestrators, part.PathOf(orchestrators[1].Index) + ".type", "there is more than one orchestrator", "make the others specialists");
        }
        if (isDeepAgent && part.Nodes.Count > 0 && part.Orchestrator is null)
        {
            yield return new DefinitionFault(
                DefinitionCodes.NoStart, $"{part.Path}.nodes", "there is no agent to begin with", "make one node an orchestrator, or add edges from START");
        }
        foreach (var (node, config, index) in part.Each().Where(it => NodeTypes.IsAgent(it.Node.Type)))
        {
            IEnumerable<DefinitionFault> faults =
            [
                .. CheckTools(part, config, index, definition),
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
        (definition.ToolDefinitions ?? []).Select(tool => tool.Name).Concat(ToolCatalog.Builtin.Select(tool => tool.Name)).Append(TaskTool.ToolName).Distinct();

    private static IEnumerable<DefinitionFault> CheckTools(GraphPart part, NodeConfig config, int index, AgentDefinition definition)
    {
        var names = config.Tools ?? [];
        for (var i = 0; i < names.Count; i++)
        {
            if (!ToolNames(definition).Contains(names[i]))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownTool, $"{part.PathOf(index, "tools")}[{i}]", $"there is no tool '{names[i]}'", Spelling.Hint(names[i], ToolNames(definition), "tools"));
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckApprovals(GraphPart part, NodeConfig config, int index, AgentDefinition definition)
    {
        foreach (var (tool, policy) in config.InterruptOn ?? new Dictionary<string, JsonElement>())
        {
            var path = $"{part.PathOf(index, "interrupt_on")}.{tool}";
            if (!ToolNames(definition).Contains(tool))
            {
                yield return new DefinitionFault(DefinitionCodes.UnknownTool, path, $"there is no tool '{tool}'", Spelling.Hint(tool, ToolNames(definition), "tools"));
            }
            if (AgentCompiler.ReadPolicy(policy, out var isValid) is null && !isValid)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.WrongValue, path, "it is neither true, false nor a list of what is allowed", """write true, or {"allowed": ["approve", "edit", "reject"]}""");
            }
        }
    }

    private static IEnumerable<DefinitionFault> CheckToolChoice(GraphPart part, NodeDefinition node, NodeConfig config, int index, AgentDefinition definition)
    {
        if (config.ToolChoice is not { } choice || new ToolChoice(choice).Tool is not { } name)
        {
            yield break;
        }
        var own = (config.Tools ?? []).Where(ToolNames(definition).Contains).Concat(ToolCatalog.Builtin.Select(tool => tool.Name));
        var known = part is { IsWorkflow: false, Path: "$" } && node == part.Orchestrator ? own.Append(TaskTool.ToolName).ToList() : [.. own];
        if (!known.Contains(name))
        {
            yield return new DefinitionFault(
                DefinitionCodes.UnknownTool, part.PathOf(index, "tool_choice"), $"the agent has no tool '{name}'", $"use auto, none, required, or one of its tools: {Spelling.Hint(name, known, "tools")}");
        }
    }

    private static IEnumerable<DefinitionFault> CheckSpecialist(GraphPart part, NodeDefinition node, NodeConfig config, int index)
    {
        if (node == part.Orchestrator)
        {
            yield break;
        }
        var name = AgentCompiler.NameOf(node);
        if (!Names.IsValid(name))
        {
            yield return new DefinitionFault(DefinitionCodes.InvalidName, part.PathOf(index, "name"), $"'{name}' is no agent name", Names.Rule);
        }
        if (part.Nodes.Take(index).Any(other => other != part.Orchestrator && AgentCompiler.NameOf(other) == name) || name == AgentCompiler.GeneralPurpose)
        {
            yield return new DefinitionFault(DefinitionCodes.DuplicateName, part.PathOf(index, "name"), $"the agent name '{name}' is taken", "rename one of them");
        }
        if (string.IsNullOrWhiteSpace(config.Description))
        {
            yield return new DefinitionFault(
                DefinitionCodes.MissingDescription, part.PathOf(index, "description"),
                $"the orchestrator is not told what '{name}' is for", "describe when to hand it a task", IsWarning: true);
        }
    }
}
