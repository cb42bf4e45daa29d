namespace AgentExecutor.Core.Budgets;

/// <summary>The budget does not cover a model call. The definition determines what happens then.</summary>
#pragma warning disable CA1032 // the exception is meaningless without the scope
public sealed class BudgetException(BudgetScope scope, BudgetLimit limit, Spending taken, PlannedCall call, Spending wanted)
    : FaultException(
        FaultCodes.BudgetExhausted,
        Describe(scope, limit, taken, call, wanted),
        $"start another run of a definition with a larger 'budget.{Name(scope)}' (a run keeps its definition), "
            + "or set \"on_exhausted\" to \"interrupt\" to be asked, or to \"switch\" to use a cheaper model"
    )
#pragma warning restore CA1032
{
    public BudgetScope Scope { get; } = scope;

    /// <summary>The budget.</summary>
    public BudgetLimit Limit { get; } = limit;

    /// <summary>The amount that has been spent.</summary>
    public Spending Taken { get; } = taken;

    private static string Describe(BudgetScope scope, BudgetLimit limit, Spending taken, PlannedCall call, Spending wanted)
    {
        var isMoney = limit.Cost is { } cost && taken.Cost + wanted.Cost > cost;
        return isMoney
            ? $"the budget of the {Name(scope)} does not cover another call of {call.Model}: "
                + $"{Dollars(taken.Cost)} of {Dollars(limit.Cost!.Value)} are spent, and the call may cost {Dollars(wanted.Cost)}"
            : $"the budget of the {Name(scope)} does not cover another call of {call.Model}: "
                + $"{taken.Tokens} of {limit.Tokens} tokens are spent, and the call may take {wanted.Tokens}";
    }

    private static string Name(BudgetScope scope) => scope.ToString().ToLowerInvariant();

    private static string Dollars(decimal cost) => FormattableString.Invariant($"${cost:0.00####}");
}
