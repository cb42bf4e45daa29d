namespace AgentExecutor.Core.Budgets;

/// <summary>
/// Stores the budgets that many runs share. A reservation is a transaction of its own before the call. A settlement is part of a step's
/// commit (<see cref="Checkpoints.StepCommit.Settlements"/>), so that the results of a step and its cost are stored together. The
/// conformance suite defines the contract.
/// </summary>
public interface IBudgetLedger
{
    /// <summary>
    /// Makes a reservation if the sum of the spent amount, the reservations and the new amount is within the limit. Otherwise nothing
    /// changes. A reservation by the same thread and call replaces the earlier one, and reservations by previous workers of the thread are
    /// removed.
    /// </summary>
    /// <exception cref="FaultException">The store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    ValueTask<BudgetBalance> ReserveAsync(
        BudgetKey key,
        BudgetReservation reservation,
        BudgetLimit limit,
        CancellationToken cancellationToken
    );

    /// <summary>Returns the balance of a budget; zero if nothing has been spent.</summary>
    /// <exception cref="FaultException">The store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    ValueTask<BudgetBalance> FindAsync(BudgetKey key, CancellationToken cancellationToken);
}

/// <summary>Identifies a shared budget.</summary>
/// <param name="Name">The name of the definitions.</param>
/// <param name="Period">The name of the period.</param>
public sealed record BudgetKey(string Name, string Period);

/// <summary>A request to reserve an amount for a call.</summary>
/// <param name="ThreadId">The thread that makes the call.</param>
/// <param name="Fence">The fencing token of the worker that executes the thread.</param>
/// <param name="CallId">The id of the call within the thread.</param>
/// <param name="Amount">The amount to reserve.</param>
public sealed record BudgetReservation(string ThreadId, long Fence, string CallId, Spending Amount);

/// <summary>The balance of a budget.</summary>
/// <param name="Spent">The settled amount.</param>
/// <param name="Reserved">The reserved amount. It does not include a reservation that was refused.</param>
/// <param name="IsGranted">True if the requested reservation was made.</param>
public sealed record BudgetBalance(Spending Spent, Spending Reserved, bool IsGranted = false);

/// <summary>
/// The actual cost of a reserved call. It is counted once: if the reservation no longer exists, the settlement has no effect.
/// </summary>
/// <param name="CallId">The id of the call within the thread.</param>
/// <param name="Actual">The actual cost; zero if the call was not made.</param>
public sealed record BudgetSettlement(string CallId, Spending Actual);
