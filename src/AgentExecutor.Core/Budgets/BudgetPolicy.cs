namespace AgentExecutor.Core.Budgets;

/// <summary>The runs whose spending is added up.</summary>
public enum BudgetScope
{
    /// <summary>A single run.</summary>
    Run,

    /// <summary>All runs of a thread.</summary>
    Thread,

    /// <summary>All runs of all definitions with the same name, within a period.</summary>
    Definition,
}

/// <summary>What happens to a model call that its budget does not cover.</summary>
public enum BudgetExhaustion
{
    /// <summary>The run fails.</summary>
    Stop,

    /// <summary>A person is asked.</summary>
    Interrupt,

    /// <summary>A cheaper model is called instead. Only the run's limits apply to it.</summary>
    Switch,
}

/// <summary>How much a definition allows its runs to spend on models.</summary>
public sealed record BudgetPolicy
{
    public static readonly BudgetPolicy None = new();

    public BudgetLimit? Run { get; init; }

    public BudgetLimit? Thread { get; init; }

    public BudgetLimit? Definition { get; init; }

    /// <summary>The period after which the definition's budget starts anew.</summary>
    public BudgetPeriod Period { get; init; } = BudgetPeriod.Total;

    public BudgetExhaustion OnExhausted { get; init; } = BudgetExhaustion.Stop;

    public BudgetLimit? Of(BudgetScope scope) =>
        scope switch
        {
            BudgetScope.Run => Run,
            BudgetScope.Thread => Thread,
            _ => Definition,
        };
}
