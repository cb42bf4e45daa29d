using System.Collections.Immutable;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>The resources that a run has used so far. They are committed with each step, so that limits also apply after a crash.</summary>
/// <param name="Supersteps">Supersteps of the root graph and all sub-graphs.</param>
/// <param name="ModelCalls">Model calls that returned.</param>
/// <param name="ToolCalls">Tool calls that were started.</param>
/// <param name="Tokens">Tokens of all model calls.</param>
/// <param name="ActiveSeconds">Seconds for which workers have executed the run.</param>
public sealed record RunUsage(
    long Supersteps = 0,
    long ModelCalls = 0,
    long ToolCalls = 0,
    TokenUsage Tokens = default,
    double ActiveSeconds = 0
)
{
    /// <summary>The cost of the calls of models with a known price, in US dollars.</summary>
    public decimal CostUsd { get; init; }

    /// <summary>The number of calls of models whose price is not known.</summary>
    public long UnpricedCalls { get; init; }

    /// <summary>The usage by agent and model, in the order of their first calls.</summary>
    public ImmutableArray<ModelUsage> ByModel { get; init; } = [];

    /// <summary>What earlier runs of the thread have spent.</summary>
    public Spending Earlier { get; init; }

    /// <summary>The amounts by which people have raised the budgets of this run.</summary>
    public ImmutableArray<BudgetRaise> Raises { get; init; } = [];

    public Spending Spent => new(Tokens.Total, CostUsd);

    /// <summary>Returns the usage with which the next run of the thread starts.</summary>
    public RunUsage ForNextRun() => new() { Earlier = Earlier + Spent };
}

/// <summary>The usage of one model by one agent.</summary>
/// <param name="Agent">The agent.</param>
/// <param name="Model">The model, as <c>provider:model</c>.</param>
/// <param name="Calls">The calls that returned.</param>
/// <param name="Tokens">The tokens of these calls and of failed attempts, as far as the provider reported them.</param>
/// <param name="CostUsd">The cost in US dollars, or null if no price is known.</param>
public sealed record ModelUsage(string Agent, string Model, long Calls, TokenUsage Tokens, decimal? CostUsd);
