namespace AgentExecutor.Core.Budgets;

/// <summary>An amount that was spent, is reserved, or may be spent.</summary>
/// <param name="Tokens">The number of input and output tokens.</param>
/// <param name="Cost">The cost in US dollars.</param>
public readonly record struct Spending(long Tokens, decimal Cost)
{
    /// <summary>
    /// Stores count money in trillionths of a dollar. These are whole numbers that can be added exactly, and even the price of a single
    /// token is a whole number of them.
    /// </summary>
    public const long UnitsPerDollar = 1_000_000_000_000;

    private const decimal MaxDollars = 1_000_000;

    /// <summary>The cost in store units. A cost that exceeds what stores can represent is stored as the maximum.</summary>
    public long CostUnits =>
        Cost >= MaxDollars ? (long)(MaxDollars * UnitsPerDollar) : (long)decimal.Round(Math.Max(0, Cost) * UnitsPerDollar);

    public static Spending OfUnits(long tokens, long costUnits) => new(tokens, (decimal)costUnits / UnitsPerDollar);

    public static Spending operator +(Spending left, Spending right) => new(left.Tokens + right.Tokens, left.Cost + right.Cost);

    public static Spending operator -(Spending left, Spending right) => new(left.Tokens - right.Tokens, left.Cost - right.Cost);

    public static Spending Add(Spending left, Spending right) => left + right;

    public static Spending Subtract(Spending left, Spending right) => left - right;
}
