using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Budgets;

/// <summary>A model call that is about to be made.</summary>
/// <param name="Agent">Who makes it.</param>
/// <param name="Model">The model.</param>
/// <param name="Id">Names this attempt at it within the thread.</param>
/// <param name="InputTokens">About how long its input is.</param>
public sealed record PlannedCall(string Agent, ModelSpec Model, string Id, long InputTokens)
{
    /// <summary>It stands in for one that the budget did not cover: the run's limits alone hold it.</summary>
    public bool IsStandIn { get; init; }
}

/// <summary>A model call for which there is room. Settled once, with what it came to; else the reservation is released.</summary>
public sealed class ReservedCall : IDisposable
{
    private readonly BudgetGate _gate;
    private int _isOver;

    internal ReservedCall(BudgetGate gate, PlannedCall call, ModelPrice? price, BudgetRoom room, string? ledgerId)
    {
        (_gate, Call, Price, Amount) = (gate, call, price, room.Amount);
        (MaxOutputTokens, Bound, LedgerId) = (room.Bound is null ? call.Model.MaxTokens : (int)room.Output, room.Bound, ledgerId);
    }

    public PlannedCall Call { get; }

    /// <summary>The most tokens that the answer may have, where the model or what is left of a budget bounds it.</summary>
    public int? MaxOutputTokens { get; }

    /// <summary>Why the answer is bounded by what is left of a limit or a budget; null where it is not. An answer that was cut there is none.</summary>
    public FaultException? Bound { get; }

    internal ModelPrice? Price { get; }

    internal Spending Amount { get; }

    /// <summary>Names the ledger's reservation of it; null where there is none.</summary>
    internal string? LedgerId { get; }

    /// <param name="usage">What the provider counted.</param>
    /// <param name="isAnswer">An answer came of it; else it is no call that returned, only what it cost.</param>
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
