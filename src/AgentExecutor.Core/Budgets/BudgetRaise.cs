namespace AgentExecutor.Core.Budgets;

/// <summary>An amount that a person added to a budget of a run.</summary>
/// <param name="Id">The id of the question that the raise answers.</param>
/// <param name="Scope">The budget.</param>
/// <param name="By">The amount.</param>
public sealed record BudgetRaise(string Id, BudgetScope Scope, Spending By)
{
    /// <summary>Returns a budget including the amounts added to it; null if there is no such budget.</summary>
    public static BudgetLimit? Apply(BudgetPolicy policy, BudgetScope scope, IEnumerable<BudgetRaise> raises) =>
        policy.Of(scope) is { } limit
            ? raises.Where(raise => raise.Scope == scope).Aggregate(limit, static (sum, raise) => sum.Raise(raise.By))
            : null;
}
