namespace AgentExecutor.Core.Budgets;

/// <summary>A budget does not cover a model call. What comes of it is for the definition to say.</summary>
#pragma warning disable CA1032 // it is nothing without the scope
public sealed class BudgetException(BudgetScope scope, BudgetLimit limit, Spending taken, PlannedCall call, Spending wanted) : FaultException(
    FaultCodes.BudgetExhausted, Describe(scope, limit, taken, call, wanted), $"raise budget.{scope.ToString().ToLowerInvariant()} in the definition and resume, or let 'on_exhausted' say otherwise")
#pragma warning restore CA1032
{
    public BudgetScope Scope { get; } = scope;

    /// <summary>The budget.</summary>
    public BudgetLimit Limit { get; } = limit;

    /// <summary>What is spent.</summary>
    public Spending Taken { get; } = taken;

    private static string Describe(BudgetScope scope, BudgetLimit limit, Spending taken, PlannedCall call, Spending wanted)
    {
        var isMoney = limit.Cost is { } cost && taken.Cost + wanted.Cost > cost;
        return isMoney
            ? $"the budget of the {Name(scope)} does not cover another call of {call.Model}: {Dollars(taken.Cost)} of {Dollars(limit.Cost!.Value)} are spent, and it may cost {Dollars(wanted.Cost)}"
            : $"the budget of the {Name(scope)} does not cover another call of {call.Model}: {taken.Tokens} of {limit.Tokens} tokens are spent, and it may take {wanted.Tokens}";
    }

    private static string Name(BudgetScope scope) => scope.ToString().ToLowerInvariant();

    private static string Dollars(decimal cost) => FormattableString.Invariant($"${cost:0.00####}");
}
