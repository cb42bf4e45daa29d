using System.Globalization;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>Prints what a run spent on models, and what is left of its budgets.</summary>
internal static class SpendingReport
{
    /// <summary>Prints a table by agent and model; or nothing if no model was called.</summary>
    public static void WriteTable(TextWriter writer, RunUsage usage)
    {
        if (usage.ByModel.IsEmpty)
        {
            return;
        }
        var table = new TextTable("AGENT", "MODEL", "CALLS", "INPUT", "CACHED", "OUTPUT", "REASONING", "COST");
        foreach (var it in usage.ByModel)
        {
            table.Add(
                View.EventText.Safe(it.Agent),
                View.EventText.Safe(it.Model),
                Text(it.Calls),
                Text(it.Tokens.Input),
                Text(it.Tokens.CachedInput),
                Text(it.Tokens.Output),
                Text(it.Tokens.Reasoning),
                it.CostUsd is { } cost ? Dollars(cost) : "no price"
            );
        }
        writer.WriteLine();
        table.Write(writer, whenEmpty: "");
    }

    public static async Task WriteBudgetsAsync(
        TextWriter writer,
        Run run,
        BudgetPolicy policy,
        IBudgetLedger ledger,
        CancellationToken cancellationToken
    )
    {
        WriteBudget(writer, "run", BudgetRaise.Apply(policy, BudgetScope.Run, run.Usage.Raises), run.Usage.Spent, default);
        WriteBudget(
            writer,
            "thread",
            BudgetRaise.Apply(policy, BudgetScope.Thread, run.Usage.Raises),
            run.Usage.Earlier + run.Usage.Spent,
            default
        );
        if (policy.Definition is not null)
        {
            var period = policy.Period.NameAt(TimeProvider.System.GetUtcNow());
            var balance = await ledger.FindAsync(new BudgetKey(run.Name, period), cancellationToken);
            WriteBudget(
                writer,
                $"definition {View.EventText.Safe(run.Name)}, {period}",
                policy.Definition,
                balance.Spent,
                balance.Reserved
            );
        }
    }

    /// <summary>For example <c>, $0.0125</c>; empty if no model has a price.</summary>
    public static string CostOf(RunUsage usage) => usage.CostUsd > 0 ? $", {Dollars(usage.CostUsd)}" : "";

    private static void WriteBudget(TextWriter writer, string of, BudgetLimit? limit, Spending spent, Spending reserved)
    {
        string?[] parts =
        [
            limit?.Cost is { } cost
                ? $"{Dollars(spent.Cost)} of {Dollars(cost)} spent{(reserved.Cost > 0 ? $", {Dollars(reserved.Cost)} reserved" : "")}"
                : null,
            limit?.Tokens is { } tokens
                ? $"{Text(spent.Tokens)} of {Text(tokens)} tokens spent{(reserved.Tokens > 0 ? $", {Text(reserved.Tokens)} reserved" : "")}"
                : null,
        ];
        if (parts.OfType<string>().ToList() is { Count: > 0 } known)
        {
            writer.WriteLine($"budget of the {of}: {string.Join("; ", known)}");
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Dollars(decimal cost) => string.Create(CultureInfo.InvariantCulture, $"${cost:0.00####}");
}
