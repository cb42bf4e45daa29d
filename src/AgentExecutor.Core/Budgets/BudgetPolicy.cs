namespace AgentExecutor.Core.Budgets;

/// <summary>Whose spending is added up.</summary>
public enum BudgetScope
{
    /// <summary>One run.</summary>
    Run,

    /// <summary>All runs of a thread.</summary>
    Thread,

    /// <summary>All runs of all definitions of one name, within a period.</summary>
    Definition,
}

/// <summary>What becomes of a model call that its budget does not cover.</summary>
public enum BudgetExhaustion
{
    /// <summary>The run fails.</summary>
    Stop,

    /// <summary>A person is asked.</summary>
    Interrupt,

    /// <summary>A cheaper model is called instead, under the run's limits alone.</summary>
    Switch,
}

/// <summary>What a definition lets its runs spend on models.</summary>
public sealed record BudgetPolicy
{
    public static readonly BudgetPolicy None = new();

    public BudgetLimit? Run { get; init; }

    public BudgetLimit? Thread { get; init; }

    public BudgetLimit? Definition { get; init; }

    /// <summary>After what time the definition's budget begins anew.</summary>
    public BudgetPeriod Period { get; init; } = BudgetPeriod.Total;

    public BudgetExhaustion OnExhausted { get; init; } = BudgetExhaustion.Stop;

    public BudgetLimit? Of(BudgetScope scope) => scope switch
    {
        BudgetScope.Run => Run,
        BudgetScope.Thread => Thread,
        _ => Definition,
    };
}
