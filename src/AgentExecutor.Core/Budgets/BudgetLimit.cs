namespace AgentExecutor.Core.Budgets;

/// <summary>How much may be spent. A value of null means that there is no limit.</summary>
/// <param name="Tokens">The number of input and output tokens.</param>
/// <param name="Cost">The cost in US dollars.</param>
public sealed record BudgetLimit(long? Tokens, decimal? Cost)
{
    public BudgetLimit Raise(Spending by) => new(Tokens + by.Tokens, Cost + by.Cost);

    public bool Covers(Spending spending) => !(spending.Tokens > Tokens) && !(spending.Cost > Cost);
}
