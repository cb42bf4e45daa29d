using System.Collections.Immutable;

namespace AgentExecutor.Core.Budgets;

/// <summary>
/// Keeps shared budgets in the memory of this process. It belongs to the in-memory store, whose commits settle the reservations.
/// </summary>
public sealed class InMemoryBudgetLedger : IBudgetLedger
{
    private readonly Lock _gate = new();
    private readonly Dictionary<BudgetKey, Spending> _spent = [];
    private readonly Dictionary<(string ThreadId, string CallId), (BudgetKey Key, long Fence, Spending Amount)> _reserved = [];

    public ValueTask<BudgetBalance> ReserveAsync(
        BudgetKey key,
        BudgetReservation reservation,
        BudgetLimit limit,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            var own = (reservation.ThreadId, reservation.CallId);
            var obsolete = _reserved
                .Where(it => it.Key.ThreadId == reservation.ThreadId && (it.Value.Fence < reservation.Fence || it.Key == own))
                .ToList();
            foreach (var (callKey, _) in obsolete)
            {
                _reserved.Remove(callKey);
            }
            var balance = BalanceOf(key);
            if (!limit.Covers(balance.Spent + balance.Reserved + reservation.Amount))
            {
                return ValueTask.FromResult(balance);
            }
            _reserved[own] = (key, reservation.Fence, reservation.Amount);
            return ValueTask.FromResult(BalanceOf(key) with { IsGranted = true });
        }
    }

    public ValueTask<BudgetBalance> FindAsync(BudgetKey key, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return ValueTask.FromResult(BalanceOf(key));
        }
    }

    internal void Settle(string threadId, ImmutableArray<BudgetSettlement> settlements, bool releasesOthers)
    {
        lock (_gate)
        {
            foreach (var settlement in settlements)
            {
                if (_reserved.Remove((threadId, settlement.CallId), out var reserved))
                {
                    _spent[reserved.Key] = _spent.GetValueOrDefault(reserved.Key) + settlement.Actual;
                }
            }
            foreach (var callKey in releasesOthers ? _reserved.Keys.Where(it => it.ThreadId == threadId).ToList() : [])
            {
                _reserved.Remove(callKey);
            }
        }
    }

    private BudgetBalance BalanceOf(BudgetKey key) =>
        new(
            _spent.GetValueOrDefault(key),
            _reserved.Values.Where(it => it.Key == key).Aggregate(default(Spending), static (sum, it) => sum + it.Amount)
        );
}
