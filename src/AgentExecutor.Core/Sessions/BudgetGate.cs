using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// Enforces the limits and budgets of one run:
/// <list type="number">
/// <item>Before a model call, the gate reserves the input and a share of output. It takes them from the run's limits, from the budgets of
/// the run and the thread, and from the definition's budget in the ledger.</item>
/// <item>If only the reservations of other calls prevent the call, it waits until they finish. Near the end of a budget, the length of the
/// answer is limited to what is left. If not even a short answer fits, the call is refused.</item>
/// <item>When the call returns, its actual cost is counted. The next commit stores it together with the settlement of the reservation in
/// the ledger.</item>
/// </list>
/// Only one worker executes a thread at a time, so the budgets of runs and threads are reserved in memory.
/// </summary>
public sealed class BudgetGate(RunSession session, BudgetPolicy policy)
{
    private static readonly TimeSpan FirstPollDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxPollDelay = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly ConcurrentQueue<BudgetSettlement> _settled = new();
    private readonly ConcurrentDictionary<string, BudgetRaise> _raises = new(
        session.Run.Usage.Raises.Select(raise => KeyValuePair.Create(raise.Id, raise))
    );
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Spending _reserved;
    private long _calls;
    private bool _usedLedger;

    public BudgetPolicy Policy { get; } = policy;

    /// <summary>The amounts that people added to the budgets of this run.</summary>
    public ImmutableArray<BudgetRaise> Raises =>
        _raises.IsEmpty ? [] : [.. _raises.Values.OrderBy(raise => raise.Id, StringComparer.Ordinal)];

    /// <summary>True if the run has made a reservation in the ledger.</summary>
    internal bool UsedLedger => Volatile.Read(ref _usedLedger);

    /// <exception cref="BudgetException">A budget does not cover the call.</exception>
    /// <exception cref="FaultException">A limit of the run does not cover the call (<see cref="FaultCodes.TokenLimit"/>,
    /// <see cref="FaultCodes.CostLimit"/>), or the store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    public async ValueTask<ReservedCall> ReserveAsync(PlannedCall call, CancellationToken cancellationToken)
    {
        var price = session.Services.Prices.Find(call.Model);
        for (var delay = FirstPollDelay; ; delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, MaxPollDelay.Ticks)))
        {
            var (room, changed) = ReserveLocally(call, price);
            if (changed is not null)
            {
                await session.WaitAsync(token => new ValueTask(changed.WaitAsync(token)), cancellationToken);
                continue;
            }
            if (call.IsCheaperModel || Policy.Definition is null || session.Services.Budgets is not { } ledger)
            {
                return new ReservedCall(this, call, price, room, ledgerId: null);
            }
            if (await ReserveInLedgerAsync(ledger, call, price, room, cancellationToken) is { } reserved)
            {
                return reserved;
            }
            // Reservations of other runs are released in other processes, so the ledger is polled.
            await session.WaitAsync(token => new ValueTask(Task.Delay(delay, session.Services.Time, token)), cancellationToken);
        }
    }

    /// <summary>Adds an amount to a budget of this run. Raises with the same id count once.</summary>
    public void Raise(BudgetRaise raise) => _raises[raise.Id] = raise;

    internal void Settle(ReservedCall call, TokenUsage usage, bool isAnswer)
    {
        var cost = call.Price?.CostOf(usage) ?? 0;
        lock (_gate)
        {
            session.Usage.CountModelCall(call.Call.Agent, call.Call.Model, usage, call.Price is null ? null : cost, isAnswer);
        }
        ReleaseReservation(call, new Spending(usage.Total, cost));
    }

    internal void Release(ReservedCall call) => ReleaseReservation(call, default);

    /// <summary>Removes and returns the settlements that are not stored yet.</summary>
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

    /// <summary>Returns settlements whose commit failed.</summary>
    internal void Return(ImmutableArray<BudgetSettlement> settlements)
    {
        foreach (var settlement in settlements)
        {
            _settled.Enqueue(settlement);
        }
    }

    /// <summary>Reserves in memory. If the call must wait, returns a task that completes when another call of this run finishes.</summary>
    private (BudgetRoom Room, Task? Changed) ReserveLocally(PlannedCall call, ModelPrice? price)
    {
        var room = new BudgetRoom(call, price);
        lock (_gate)
        {
            var (limits, spent) = (session.Usage.Limits, session.Usage.Spent);
            room.Narrow(new BudgetLimit(limits.MaxTokens, null), spent, _reserved, taken => TokensUsed(call, taken, room));
            room.Narrow(
                new BudgetLimit(null, (decimal)Math.Min(limits.MaxCostUsd, 1e12)),
                spent,
                _reserved,
                taken => MoneyUsed(call, taken, room)
            );
            foreach (var scope in call.IsCheaperModel ? [] : (BudgetScope[])[BudgetScope.Run, BudgetScope.Thread])
            {
                if (LimitOf(scope) is { } limit)
                {
                    var earlier = scope == BudgetScope.Thread ? session.Run.Usage.Earlier : default;
                    room.Narrow(limit, earlier + spent, _reserved, taken => new BudgetException(scope, limit, taken, call, room.Least));
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

    /// <summary>
    /// Reserves in the ledger. Returns null if reservations of other runs prevent the call; then the reservation in memory is released too.
    /// </summary>
    private async ValueTask<ReservedCall?> ReserveInLedgerAsync(
        IBudgetLedger ledger,
        PlannedCall call,
        ModelPrice? price,
        BudgetRoom room,
        CancellationToken cancellationToken
    )
    {
        Volatile.Write(ref _usedLedger, true);
        var key = new BudgetKey(session.Run.Name, Policy.Period.NameAt(session.Services.Time.GetUtcNow()));
        // The counter distinguishes the id from those of calls that are not settled yet.
        var id = $"{call.Id}.{Interlocked.Increment(ref _calls).ToString(CultureInfo.InvariantCulture)}";
        var reserved = room.Amount;
        var isGranted = false;
        try
        {
            var limit = LimitOf(BudgetScope.Definition)!;
            while (!isGranted)
            {
                var balance = await ledger.ReserveAsync(
                    key,
                    new BudgetReservation(session.ThreadId, session.Run.Fence, id, reserved),
                    limit,
                    cancellationToken
                );
                isGranted = balance.IsGranted;
                if (!isGranted)
                {
                    room.Narrow(
                        limit,
                        balance.Spent,
                        balance.Reserved,
                        taken => new BudgetException(BudgetScope.Definition, limit, taken, call, room.Least)
                    );
                    if (room.MustWait)
                    {
                        return null;
                    }
                    if (room.Amount == reserved)
                    {
                        // The rounding of the ledger differs in the last fraction, and the ledger decides.
                        throw new BudgetException(BudgetScope.Definition, limit, balance.Spent, call, room.Least);
                    }
                    ChangeReserved(room.Amount - reserved);
                    reserved = room.Amount;
                }
            }
            return new ReservedCall(this, call, price, room, id);
        }
        finally
        {
            if (!isGranted)
            {
                ChangeReserved(default(Spending) - reserved);
            }
        }
    }

    private void ReleaseReservation(ReservedCall call, Spending actual)
    {
        ChangeReserved(default(Spending) - call.Amount);
        if (call.LedgerId is { } id)
        {
            _settled.Enqueue(new BudgetSettlement(id, actual));
        }
    }

    private void ChangeReserved(Spending difference)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _reserved += difference;
            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        changed.SetResult();
    }

    private BudgetLimit? LimitOf(BudgetScope scope) => BudgetRaise.Apply(Policy, scope, _raises.Values);

    private FaultException TokensUsed(PlannedCall call, Spending taken, BudgetRoom room) =>
        new(
            FaultCodes.TokenLimit,
            $"the run has used {taken.Tokens} of its {session.Usage.Limits.MaxTokens} tokens, "
                + $"and another call of {call.Model} may take {room.Least.Tokens}",
            "raise max_tokens in the definition's limits, up to the server's limit"
        );

    private FaultException MoneyUsed(PlannedCall call, Spending taken, BudgetRoom room) =>
        new(
            FaultCodes.CostLimit,
            string.Create(
                CultureInfo.InvariantCulture,
                $"the run has spent ${taken.Cost:0.00####} of its ${session.Usage.Limits.MaxCostUsd:0.00####}, "
            ) + string.Create(CultureInfo.InvariantCulture, $"and another call of {call.Model} may cost ${room.Least.Cost:0.00####}"),
            "raise max_cost_usd in the definition's limits, up to the server's limit"
        );
}
