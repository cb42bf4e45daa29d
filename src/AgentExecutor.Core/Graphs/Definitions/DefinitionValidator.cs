using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Against what a definition is checked.</summary>
/// <param name="Models">The model providers there are.</param>
/// <param name="Tools">The tool runtimes there are.</param>
/// <param name="Limits">The server's limits.</param>
/// <param name="DefaultModel">The model of agents that name none.</param>
/// <param name="ModelOverride">The model of all agents, whatever they name.</param>
public sealed record DefinitionEnvironment(
    ModelCatalog Models, ToolCatalog Tools, RunLimits Limits, ModelSpec? DefaultModel = null, ModelSpec? ModelOverride = null)
{
    /// <summary>What models cost.</summary>
    public PriceTable Prices { get; init; } = PriceTable.Shipped;
}

/// <summary>Finds everything that is wrong with a definition, at once and before anything runs.</summary>
public static class DefinitionValidator
{
    public static IReadOnlyList<DefinitionFault> Validate(DefinitionSource source, DefinitionEnvironment environment)
    {
        if (source.Definition is not { } definition)
        {
            return source.Faults;
        }
        var root = GraphPart.Root(definition, source.Json);
        var bad = source.Faults.Where(fault => !fault.IsWarning).Select(fault => fault.Path).ToList();
        IEnumerable<DefinitionFault> sense =
        [
            .. ToolChecks.Check(definition, environment.Tools),
            .. LimitChecks.Check(definition.Limits, "$.limits", environment.Limits),
            .. StateChecks.Check(definition.StateSchema, "$.state_schema"),
            .. BudgetChecks.Check(definition, environment),
            .. Checks(root, definition, environment),
        ];
        return [.. source.Faults, .. sense.Where(fault => !bad.Exists(path => JsonPaths.IsWithin(fault.Path, path)))];
    }

    private static IEnumerable<DefinitionFault> Checks(GraphPart part, AgentDefinition definition, DefinitionEnvironment environment)
    {
        IEnumerable<DefinitionFault> faults =
        [
            .. NodeChecks.Check(part),
            .. AgentChecks.Check(part, definition, environment),
            .. part.IsWorkflow || part.Path != "$" ? WorkflowChecks.Check(part, definition) : [],
        ];
        foreach (var (node, config, index) in part.Each())
        {
            faults = faults.Concat(StateChecks.Check(config.StateSchema, part.PathOf(index, "state_schema")))
                .Concat(LimitChecks.Check(config.Limits, part.PathOf(index, "limits"), environment.Limits));
            if (node.Type == NodeTypes.SubGraph)
            {
                faults = faults.Concat(Checks(part.Inner(index), definition, environment));
            }
        }
        return faults;
    }
}
