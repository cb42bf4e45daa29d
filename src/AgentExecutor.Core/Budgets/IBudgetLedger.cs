namespace AgentExecutor.Core.Budgets;

/// <summary>
/// The budgets that many runs share. Reserving is a transaction of its own, before the call; settling is part of a step's commit
/// (<see cref="Checkpoints.StepCommit.Settlements"/>), so that what a step did and what it cost are stored together or not at all. The contract's text is the
/// conformance suite.
/// </summary>
public interface IBudgetLedger
{
    /// <summary>
    /// Reserves, where what is spent, what others have reserved, and the amount are within the limit; else changes nothing. A reservation by the same thread and
    /// call takes the place of the earlier one, and those that older workers of the thread left are dropped.
    /// </summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    ValueTask<BudgetBalance> ReserveAsync(BudgetKey key, BudgetReservation reservation, BudgetLimit limit, CancellationToken cancellationToken);

    /// <summary>How a budget stands; zero where nothing was ever spent.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    ValueTask<BudgetBalance> FindAsync(BudgetKey key, CancellationToken cancellationToken);
}

/// <summary>A shared budget.</summary>
/// <param name="Name">The definitions' name.</param>
/// <param name="Period">The name of the period.</param>
public sealed record BudgetKey(string Name, string Period);

/// <summary>What a call may come to.</summary>
/// <param name="ThreadId">The thread that makes it.</param>
/// <param name="Fence">The fencing token of whoever runs the thread.</param>
/// <param name="CallId">Names the call within the thread.</param>
/// <param name="Amount">What is reserved for it.</param>
public sealed record BudgetReservation(string ThreadId, long Fence, string CallId, Spending Amount);

/// <summary>How a budget stands.</summary>
/// <param name="Spent">What was settled.</param>
/// <param name="Reserved">What is reserved; without the reservation that was asked for, if it was refused.</param>
/// <param name="IsGranted">The reservation was made.</param>
public sealed record BudgetBalance(Spending Spent, Spending Reserved, bool IsGranted = false);

/// <summary>What a reserved call came to. It counts once: where its reservation is gone it changes nothing.</summary>
/// <param name="CallId">Names the call within the thread.</param>
/// <param name="Actual">What it cost; nothing where it was not made.</param>
public sealed record BudgetSettlement(string CallId, Spending Actual);
