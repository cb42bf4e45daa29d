using System.Globalization;

namespace AgentExecutor.Core.Budgets;

/// <summary>After what time a budget begins anew, by UTC.</summary>
public enum BudgetPeriod
{
    Hour,
    Day,
    Month,

    /// <summary>Never.</summary>
    Total,
}

/// <summary>Names of periods.</summary>
public static class BudgetPeriods
{
    /// <summary>The name of the period that this moment lies in, such as <c>2026-11-21</c>.</summary>
    public static string NameAt(this BudgetPeriod period, DateTimeOffset time) => period switch
    {
        BudgetPeriod.Hour => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH'Z'", CultureInfo.InvariantCulture),
        BudgetPeriod.Day => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        BudgetPeriod.Month => time.UtcDateTime.ToString("yyyy-MM", CultureInfo.InvariantCulture),
        _ => "total",
    };
}
