namespace AgentExecutor.Core.Budgets;

/// <summary>What a person added to a budget of a run.</summary>
/// <param name="Id">The question that it answers.</param>
/// <param name="Scope">Which budget.</param>
/// <param name="By">By how much.</param>
public sealed record BudgetRaise(string Id, BudgetScope Scope, Spending By)
{
    /// <summary>A budget with what was added to it; null where there is none.</summary>
    public static BudgetLimit? Apply(BudgetPolicy policy, BudgetScope scope, IEnumerable<BudgetRaise> raises) =>
        policy.Of(scope) is { } limit ? raises.Where(raise => raise.Scope == scope).Aggregate(limit, static (sum, raise) => sum.Raise(raise.By)) : null;
}
