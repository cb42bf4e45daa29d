using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Compilation;

/// <summary>Converts a validated <c>budget</c> to a policy.</summary>
internal static class BudgetReader
{
    public static BudgetPolicy Read(BudgetDefinition? budget) =>
        budget is null
            ? BudgetPolicy.None
            : new BudgetPolicy
            {
                Run = Read(budget.Run),
                Thread = Read(budget.Thread),
                Definition = Read(budget.Definition),
                Period = budget.Definition?.Per is { } per ? Enum.Parse<BudgetPeriod>(per, ignoreCase: true) : BudgetPeriod.Total,
                OnExhausted = budget.OnExhausted is { } then ? Enum.Parse<BudgetExhaustion>(then, ignoreCase: true) : BudgetExhaustion.Stop,
            };

    private static BudgetLimit? Read(SpendingDefinition? spending) =>
        spending is null ? null : new BudgetLimit(spending.Tokens, (decimal?)spending.CostUsd);
}
