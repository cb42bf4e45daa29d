using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// A model call whose cost is reserved. It is settled once, with its actual cost. If it is disposed of before that, the reservation is
/// released.
/// </summary>
public sealed class ReservedCall : IDisposable
{
    private readonly BudgetGate _gate;
    private int _isOver;

    internal ReservedCall(BudgetGate gate, PlannedCall call, ModelPrice? price, BudgetRoom room, string? ledgerId)
    {
        (_gate, Call, Price, Amount) = (gate, call, price, room.Amount);
        MaxOutputTokens = room.ShortenedBy is null ? call.Model.MaxTokens : (int)room.Output;
        (ShortenedBy, LedgerId) = (room.ShortenedBy, ledgerId);
    }

    public PlannedCall Call { get; }

    /// <summary>The maximum number of tokens of the answer, if the model's definition or the rest of a budget limits it.</summary>
    public int? MaxOutputTokens { get; }

    /// <summary>
    /// The fault of the limit or budget that shortens the answer; null if there is none. An answer that was cut off by it is not used.
    /// </summary>
    public FaultException? ShortenedBy { get; }

    internal ModelPrice? Price { get; }

    internal Spending Amount { get; }

    /// <summary>The id of the reservation in the ledger; null if there is none.</summary>
    internal string? LedgerId { get; }

    /// <param name="usage">The usage reported by the provider.</param>
    /// <param name="isAnswer">True if the call produced an answer. Otherwise only its cost is counted, not the call.</param>
    public void Settle(TokenUsage usage, bool isAnswer)
    {
        if (Interlocked.Exchange(ref _isOver, 1) == 0)
        {
            _gate.Settle(this, usage, isAnswer);
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isOver, 1) == 0)
        {
            _gate.Release(this);
        }
    }
}
