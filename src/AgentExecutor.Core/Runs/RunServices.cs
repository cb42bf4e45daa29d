using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Runs;

/// <summary>What a run needs of the world.</summary>
/// <param name="Checkpoints">Where its steps are kept.</param>
/// <param name="Events">Who watches.</param>
/// <param name="Time">The clock.</param>
public sealed record RunServices(ICheckpointStore Checkpoints, IEventStream Events, TimeProvider Time)
{
    /// <summary>Keeps this process's leases alive; null where the store keeps none.</summary>
    public LeaseKeeper? Keeper { get; init; }

    /// <summary>What becomes of a tool call that a dead worker left, where the tool may not be called twice.</summary>
    public UnknownOutcome UnknownOutcome { get; init; } = UnknownOutcome.Ask;

    /// <summary>What models cost.</summary>
    public PriceTable Prices { get; init; } = PriceTable.Shipped;

    /// <summary>The budgets that runs share; null where there is nobody to share them with.</summary>
    public IBudgetLedger? Budgets { get; init; }

    /// <summary>What all runs of the process share on their way to models.</summary>
    public ModelGates Models { get; init; } = new(new ModelCallSettings(), Time);

    public Lease? Lease => Keeper?.Lease;
}
