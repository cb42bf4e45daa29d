using System.Globalization;

namespace AgentExecutor.Core.Budgets;

/// <summary>The period after which a budget starts anew, in UTC.</summary>
public enum BudgetPeriod
{
    Hour,
    Day,
    Month,

    /// <summary>The budget never starts anew.</summary>
    Total,
}

/// <summary>Names the periods of budgets.</summary>
public static class BudgetPeriods
{
    /// <summary>Returns the name of the period that contains this time, such as <c>2026-11-21</c>.</summary>
    public static string NameAt(this BudgetPeriod period, DateTimeOffset time) =>
        period switch
        {
            BudgetPeriod.Hour => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH'Z'", CultureInfo.InvariantCulture),
            BudgetPeriod.Day => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            BudgetPeriod.Month => time.UtcDateTime.ToString("yyyy-MM", CultureInfo.InvariantCulture),
            _ => "total",
        };
}
