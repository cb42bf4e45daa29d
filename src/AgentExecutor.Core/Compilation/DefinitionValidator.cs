using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Skills;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Compilation;

/// <summary>The environment against which definitions are validated.</summary>
/// <param name="Models">The available model providers.</param>
/// <param name="Tools">The available tool runtimes.</param>
/// <param name="Limits">The server's limits.</param>
/// <param name="DefaultModel">The model of agents that have none.</param>
/// <param name="ModelOverride">A model that replaces the models of all agents.</param>
public sealed record DefinitionEnvironment(
    ModelCatalog Models,
    ToolCatalog Tools,
    RunLimits Limits,
    ModelSpec? DefaultModel = null,
    ModelSpec? ModelOverride = null
) : IAsyncDisposable
{
    /// <summary>The prices of models.</summary>
    public PriceTable Prices { get; init; } = PriceTable.Shipped;

    /// <summary>The skills that the operator provides.</summary>
    public SkillCatalog Skills { get; init; } = SkillCatalog.Empty;

    /// <summary>Ends the processes and connections of the tool runtimes.</summary>
    public ValueTask DisposeAsync() => Tools.DisposeAsync();
}

/// <summary>Validates a definition before anything runs and reports all problems at once.</summary>
public static class DefinitionValidator
{
    public static IReadOnlyList<DefinitionFault> Validate(DefinitionSource source, DefinitionEnvironment environment)
    {
        if (source.Definition is not { } definition)
        {
            return source.Faults;
        }
        var root = GraphPart.Root(definition, source.Json);
        var invalidPaths = source.Faults.Where(fault => !fault.IsWarning).Select(fault => fault.Path).ToList();
        IEnumerable<DefinitionFault> semantic =
        [
            .. ToolChecks.Check(definition, environment.Tools),
            .. SkillChecks.Check(definition),
            .. LimitChecks.Check(definition.Limits, "$.limits", environment.Limits),
            .. StateChecks.Check(definition.StateSchema, "$.state_schema"),
            .. StateChecks.CheckInitial(definition.InitialState),
            .. BudgetChecks.Check(definition, environment),
            .. Checks(root, definition, environment),
        ];
        return [.. source.Faults, .. semantic.Where(fault => !invalidPaths.Exists(path => JsonPaths.IsWithin(fault.Path, path)))];
    }

    private static IEnumerable<DefinitionFault> Checks(GraphPart part, AgentDefinition definition, DefinitionEnvironment environment)
    {
        IEnumerable<DefinitionFault> faults =
        [
            .. NodeChecks.Check(part),
            .. EdgeChecks.Check(part),
            .. AgentChecks.Check(part, definition, environment),
            .. part.IsWorkflow || part.LacksStart || part.Path != "$"
                ? WorkflowChecks.Check(part, definition)
                : DelegationChecks.Check(part),
        ];
        foreach (var (node, config, index) in part.Each())
        {
            faults = faults
                .Concat(StateChecks.Check(config.StateSchema, part.PathOf(index, "state_schema")))
                .Concat(StateChecks.CheckWrites(config, field => part.PathOf(index, field)))
                .Concat(LimitChecks.Check(config.Limits, part.PathOf(index, "limits"), environment.Limits));
            if (node.Type == NodeTypes.SubGraph)
            {
                faults = faults.Concat(Checks(part.Inner(index), definition, environment));
            }
        }
        return faults;
    }
}
