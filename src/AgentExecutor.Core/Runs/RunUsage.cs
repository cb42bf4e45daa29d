using System.Collections.Immutable;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>What a run has used so far; committed with each step, so that limits hold across crashes.</summary>
/// <param name="Supersteps">Supersteps of the root graph and all sub-graphs.</param>
/// <param name="ModelCalls">Model calls that returned.</param>
/// <param name="ToolCalls">Tool calls that were started.</param>
/// <param name="Tokens">Tokens of all model calls.</param>
/// <param name="ActiveSeconds">Seconds in which a worker had the run.</param>
public sealed record RunUsage(long Supersteps = 0, long ModelCalls = 0, long ToolCalls = 0, TokenUsage Tokens = default, double ActiveSeconds = 0)
{
    /// <summary>What the calls of priced models cost, in US dollars.</summary>
    public decimal CostUsd { get; init; }

    /// <summary>Calls of models whose price is not known.</summary>
    public long UnpricedCalls { get; init; }

    /// <summary>The same by agent and model, in the order of their first calls.</summary>
    public ImmutableArray<ModelUsage> ByModel { get; init; } = [];

    /// <summary>What the thread's runs before this one spent.</summary>
    public Spending Earlier { get; init; }

    /// <summary>What people added to the budgets of this run.</summary>
    public ImmutableArray<BudgetRaise> Raises { get; init; } = [];

    public Spending Spent => new(Tokens.Total, CostUsd);

    /// <summary>What the next run of the thread begins with.</summary>
    public RunUsage ForNextRun() => new() { Earlier = Earlier + Spent };
}

/// <summary>What one agent used of one model.</summary>
/// <param name="Agent">The agent.</param>
/// <param name="Model">The model, as <c>provider:model</c>.</param>
/// <param name="Calls">Calls that returned.</param>
/// <param name="Tokens">Their tokens, and those of attempts that failed, as far as the provider told.</param>
/// <param name="CostUsd">What they cost, in US dollars; null where no price is known.</param>
public sealed record ModelUsage(string Agent, string Model, long Calls, TokenUsage Tokens, decimal? CostUsd);
