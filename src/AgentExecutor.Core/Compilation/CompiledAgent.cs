using System.Collections.Immutable;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Skills;

namespace AgentExecutor.Core.Compilation;

/// <summary>A compiled definition. Immutable and shared by all its runs.</summary>
/// <param name="Hash">The SHA-256 hash of the definition's bytes, in lower-case hexadecimal.</param>
/// <param name="Name">The definition's name.</param>
/// <param name="Graph">The root graph.</param>
/// <param name="Limits">The limits of a run.</param>
/// <param name="InitialState">The updates that a new thread starts with, by channel.</param>
/// <param name="NeedsMessage">True if a run must start with a message.</param>
/// <param name="Agents">All agents of the definition, the orchestrator first.</param>
public sealed record CompiledAgent(
    string Hash,
    string Name,
    Graph Graph,
    RunLimits Limits,
    ImmutableArray<KeyValuePair<string, object>> InitialState,
    bool NeedsMessage,
    ImmutableArray<AgentSpec> Agents
)
{
    /// <summary>How much its runs may spend on models.</summary>
    public BudgetPolicy Budget { get; init; } = BudgetPolicy.None;

    /// <summary>The files of its agents' skills.</summary>
    public FileTree SkillFiles { get; } = Skill.Mount(Agents.SelectMany(agent => agent.Skills).DistinctBy(skill => skill.Name));
}
