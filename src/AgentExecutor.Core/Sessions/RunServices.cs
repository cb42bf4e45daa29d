using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Sessions;

/// <summary>The services that a run uses.</summary>
/// <param name="Checkpoints">Stores the steps of the run.</param>
/// <param name="Events">Passes events to watchers.</param>
/// <param name="Time">The clock.</param>
public sealed record RunServices(ICheckpointStore Checkpoints, IEventStream Events, TimeProvider Time)
{
    /// <summary>Renews the leases of this process. Null if the store keeps no leases.</summary>
    public LeaseKeeper? Keeper { get; init; }

    /// <summary>What happens to a tool call that was in progress when its worker was lost, if the tool must not be called twice.</summary>
    public UnknownOutcome UnknownOutcome { get; init; } = UnknownOutcome.Ask;

    /// <summary>The prices of models.</summary>
    public PriceTable Prices { get; init; } = PriceTable.Shipped;

    /// <summary>The budgets that runs share, or null if there are none.</summary>
    public IBudgetLedger? Budgets { get; init; }

    /// <summary>The answers to questions and external tool calls, or null if they only arrive when a run is resumed.</summary>
    public IInterruptStore? Interrupts { get; init; }

    /// <summary>The limits for model calls that all runs of the process share.</summary>
    public ModelGates Models { get; init; } = new(new ModelCallSettings(), Time);

    /// <summary>
    /// The lease under which commits hold their thread: the process's lease unless another one is set. Null if the store keeps no leases.
    /// </summary>
    public Lease? Lease
    {
        get => field ?? Keeper?.Lease;
        init;
    }
}
