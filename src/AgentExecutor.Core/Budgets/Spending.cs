namespace AgentExecutor.Core.Budgets;

/// <summary>What was used, is reserved, or may be used.</summary>
/// <param name="Tokens">Input and output tokens together.</param>
/// <param name="Cost">US dollars.</param>
public readonly record struct Spending(long Tokens, decimal Cost)
{
    /// <summary>Stores count money in trillionths of a dollar: whole numbers that are added exactly, and the price of a single token is one.</summary>
    public const long UnitsPerDollar = 1_000_000_000_000;

    private const decimal MostDollars = 1_000_000;

    /// <summary>What no store can count, is counted as the most that it can.</summary>
    public long CostUnits => Cost >= MostDollars ? (long)(MostDollars * UnitsPerDollar) : (long)decimal.Round(Math.Max(0, Cost) * UnitsPerDollar);

    public static Spending OfUnits(long tokens, long costUnits) => new(tokens, (decimal)costUnits / UnitsPerDollar);

    public static Spending operator +(Spending left, Spending right) => new(left.Tokens + right.Tokens, left.Cost + right.Cost);

    public static Spending operator -(Spending left, Spending right) => new(left.Tokens - right.Tokens, left.Cost - right.Cost);

    public static Spending Add(Spending left, Spending right) => left + right;

    public static Spending Subtract(Spending left, Spending right) => left - right;
}
