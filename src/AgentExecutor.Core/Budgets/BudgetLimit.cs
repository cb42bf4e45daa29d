namespace AgentExecutor.Core.Budgets;

/// <summary>How much may be spent; null where there is no bound.</summary>
/// <param name="Tokens">Input and output tokens together.</param>
/// <param name="Cost">US dollars.</param>
public sealed record BudgetLimit(long? Tokens, decimal? Cost)
{
    public BudgetLimit Raise(Spending by) => new(Tokens + by.Tokens, Cost + by.Cost);

    public bool Covers(Spending spending) => !(spending.Tokens > Tokens) && !(spending.Cost > Cost);
}
