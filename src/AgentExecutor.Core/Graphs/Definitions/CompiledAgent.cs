using System.Collections.Immutable;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>A definition, ready to run. Immutable and shared by all runs of it.</summary>
/// <param name="Hash">SHA-256 of the definition's bytes, in lower-case hex.</param>
/// <param name="Name">The definition's name.</param>
/// <param name="Graph">The root graph.</param>
/// <param name="Limits">The limits of a run.</param>
/// <param name="InitialState">The updates that a new thread begins with, by channel.</param>
/// <param name="NeedsMessage">A run needs a message to begin with.</param>
/// <param name="Agents">All agents of it, the orchestrator first.</param>
public sealed record CompiledAgent(
    string Hash,
    string Name,
    Graph Graph,
    RunLimits Limits,
    ImmutableArray<KeyValuePair<string, object>> InitialState,
    bool NeedsMessage,
    ImmutableArray<AgentSpec> Agents)
{
    /// <summary>What its runs may spend on models.</summary>
    public BudgetPolicy Budget { get; init; } = BudgetPolicy.None;
}
