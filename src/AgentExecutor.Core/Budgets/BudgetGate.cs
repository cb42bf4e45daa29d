using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Budgets;

/// <summary>
/// Holds one run to its limits and budgets:
/// <list type="number">
/// <item>Before a model call it reserves the input and a share of output, from the run's limits, the run's and the thread's budget here, and the definition's in the ledger.</item>
/// <item>Where only what other calls have reserved stands in the way, it waits until they are over. Near the end of a budget the answer is bounded by what is left; where not even a
/// short one fits, the call is refused.</item>
/// <item>What the call came to is counted when it returns, and stored by the next commit, with the settlement of the ledger's reservation.</item>
/// </list>
/// One worker has a thread at a time, so what concerns a thread alone is reserved in memory.
/// </summary>
public sealed class BudgetGate(RunSession session, BudgetPolicy policy)
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastLook = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly ConcurrentQueue<BudgetSettlement> _settled = new();
    private readonly ConcurrentDictionary<string, BudgetRaise> _raises = new(session.Run.Usage.Raises.Select(raise => KeyValuePair.Create(raise.Id, raise)));
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Spending _reserved;
    private long _calls;
    private bool _usedLedger;

    public BudgetPolicy Policy { get; } = policy;

    /// <summary>What people added to the budgets of this run.</summary>
    public ImmutableArray<BudgetRaise> Raises => _raises.IsEmpty ? [] : [.. _raises.Values.OrderBy(raise => raise.Id, StringComparer.Ordinal)];

    /// <summary>The run has reservations in the ledger, or had.</summary>
    internal bool UsedLedger => Volatile.Read(ref _usedLedger);

    /// <exception cref="BudgetException">A budget does not cover it.</exception>
    /// <exception cref="FaultException"><see cref="FaultCodes.TokenLimit"/>, <see cref="FaultCodes.CostLimit"/>, or <see cref="FaultCodes.StoreUnavailable"/>.</exception>
    public async ValueTask<ReservedCall> ReserveAsync(PlannedCall call, CancellationToken cancellationToken)
    {
        var price = session.Services.Prices.Find(call.Model);
        for (var look = FirstLook; ; look = TimeSpan.FromTicks(Math.Min(look.Ticks * 2, LastLook.Ticks)))
        {
            var (room, changed) = ReserveHere(call, price);
            if (changed is not null)
            {
                await session.WaitAsync(token => new ValueTask(changed.WaitAsync(token)), cancellationToken);
                continue;
            }
            if (call.IsStandIn || Policy.Definition is null || session.Services.Budgets is not { } ledger)
            {
                return new ReservedCall(this, call, price, room, ledgerId: null);
            }
            if (await ReserveThereAsync(ledger, call, price, room, cancellationToken) is { } reserved)
            {
                return reserved;
            }
            await session.WaitAsync(token => new ValueTask(Task.Delay(look, session.Services.Time, token)), cancellationToken); // for calls of other runs
        }
    }

    /// <summary>Adds to a budget, for this run. By the same id it counts once.</summary>
    public void Raise(BudgetRaise raise) => _raises[raise.Id] = raise;

    internal void Settle(ReservedCall call, TokenUsage usage, bool isAnswer)
    {
        var cost = call.Price?.CostOf(usage) ?? 0;
        lock (_gate)
        {
            session.Usage.CountModelCall(call.Call.Agent, call.Call.Model, usage, call.Price is null ? null : cost, isAnswer);
        }
        LetGo(call, new Spending(usage.Total, cost));
    }

    internal void Release(ReservedCall call) => LetGo(call, default);

    /// <summary>The settlements that are not stored yet.</summary>
    internal ImmutableArray<BudgetSettlement> TakeSettled()
    {
        if (_settled.IsEmpty)
        {
            return [];
        }
        var settled = ImmutableArray.CreateBuilder<BudgetSettlement>();
        while (_settled.TryDequeue(out var settlement))
        {
            settled.Add(settlement);
        }
        return settled.ToImmutable();
    }

    /// <summary>Puts settlements back whose commit failed.</summary>
    internal void Return(ImmutableArray<BudgetSettlement> settlements)
    {
        foreach (var settlement in settlements)
        {
            _settled.Enqueue(settlement);
        }
    }

    /// <summary>Where it must wait, what ends when calls of this run are over.</summary>
    private (BudgetRoom Room, Task? Changed) ReserveHere(PlannedCall call, ModelPrice? price)
    {
        var room = new BudgetRoom(call, price);
        lock (_gate)
        {
            var (limits, spent) = (session.Usage.Limits, session.Usage.Spent);
            room.Narrow(new BudgetLimit(limits.MaxTokens, null), spent, _reserved, taken => TokensUsed(call, taken, room));
            room.Narrow(new BudgetLimit(null, (decimal)Math.Min(limits.MaxCostUsd, 1e12)), spent, _reserved, taken => MoneyUsed(call, taken, room));
            foreach (var scope in call.IsStandIn ? [] : (BudgetScope[])[BudgetScope.Run, BudgetScope.Thread])
            {
                if (LimitOf(scope) is { } limit)
                {
                    var before = scope == BudgetScope.Thread ? session.Run.Usage.Earlier : default;
                    room.Narrow(limit, before + spent, _reserved, taken => new BudgetException(scope, limit, taken, call, room.Least));
                }
            }
            if (room.MustWait)
            {
                return (room, _changed.Task);
            }
            _reserved += room.Amount;
            return (room, null);
        }
    }

    /// <summary>Null where calls of other runs stand in the way; then nothing is reserved here either.</summary>
    private async ValueTask<ReservedCall?> ReserveThereAsync(
        IBudgetLedger ledger, PlannedCall call, ModelPrice? price, BudgetRoom room, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _usedLedger, true);
        var key = new BudgetKey(session.Run.Name, Policy.Period.NameAt(session.Services.Time.GetUtcNow()));
        var id = $"{call.Id}.{Interlocked.Increment(ref _calls).ToString(CultureInfo.InvariantCulture)}"; // never one that waits to be settled
        var held = room.Amount;
        var isGranted = false;
        try
        {
            var limit = LimitOf(BudgetScope.Definition)!;
            while (!isGranted)
            {
                var balance = await ledger.ReserveAsync(key, new BudgetReservation(session.ThreadId, session.Run.Fence, id, held), limit, cancellationToken);
                isGranted = balance.IsGranted;
                if (!isGranted)
                {
                    room.Narrow(limit, balance.Spent, balance.Reserved, taken => new BudgetException(BudgetScope.Definition, limit, taken, call, room.Least));
                    if (room.MustWait)
                    {
                        return null;
                    }
                    if (room.Amount == held)
                    {
                        throw new BudgetException(BudgetScope.Definition, limit, balance.Spent, call, room.Least); // the ledger says so, to the last fraction
                    }
                    Hold(room.Amount - held);
                    held = room.Amount;
                }
            }
            return new ReservedCall(this, call, price, room, id);
        }
        finally
        {
            if (!isGranted)
            {
                Hold(default(Spending) - held);
            }
        }
    }

    private void LetGo(ReservedCall call, Spending actual)
    {
        Hold(default(Spending) - call.Amount);
        if (call.LedgerId is { } id)
        {
            _settled.Enqueue(new BudgetSettlement(id, actual));
        }
    }

    private void Hold(Spending more)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _reserved += more;
            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        changed.SetResult();
    }

    private BudgetLimit? LimitOf(BudgetScope scope) => BudgetRaise.Apply(Policy, scope, _raises.Values);

    private FaultException TokensUsed(PlannedCall call, Spending taken, BudgetRoom room) => new(
        FaultCodes.TokenLimit, $"the run has used {taken.Tokens} of its {session.Usage.Limits.MaxTokens} tokens, and another call of {call.Model} may take {room.Least.Tokens}",
        "raise max_tokens in the definition's limits, up to the server's");

    private FaultException MoneyUsed(PlannedCall call, Spending taken, BudgetRoom room) => new(
        FaultCodes.CostLimit,
        string.Create(CultureInfo.InvariantCulture, $"the run has spent ${taken.Cost:0.00####} of its ${session.Usage.Limits.MaxCostUsd:0.00####}, and another call of {call.Model} may cost ${room.Least.Cost:0.00####}"),
        "raise max_cost_usd in the definition's limits, up to the server's");
}
