using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Budgets;

/// <summary>
/// Holds one run to its limits and budgets:
/// <list type="number">
/// <item>Before a model call it reserves the input and a share of output, from the run's limits, the run's and the thread's budget here, and the definition's in the ledger.</item>
/// <item>Near the end of a budget the answer is bounded by what is left; where not even a short one fits, the call is refused.</item>
/// <item>What the call came to is counted when it returns, and stored by the next commit, with the settlement of the ledger's reservation.</item>
/// </list>
/// One worker has a thread at a time, so what concerns a thread alone is reserved in memory.
/// </summary>
public sealed class BudgetGate(RunSession session, BudgetPolicy policy)
{
    /// <summary>Output that is reserved where neither the model's definition nor a budget bounds it.</summary>
    private const int UsualOutput = 8_192;

    /// <summary>An answer shorter than that is of no use.</summary>
    private const int LeastOutput = 256;

    private readonly Lock _gate = new();
    private readonly ConcurrentQueue<BudgetSettlement> _settled = new();
    private readonly ConcurrentDictionary<string, BudgetRaise> _raises = new(session.Run.Usage.Raises.Select(raise => KeyValuePair.Create(raise.Id, raise)));
    private Spending _reserved;
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
        var wanted = call.Model.MaxTokens ?? UsualOutput;
        var (amount, output) = ReserveHere(call, price, wanted);
        var isShared = !call.IsStandIn && Policy.Definition is not null && session.Services.Budgets is not null;
        if (isShared)
        {
            (amount, output) = await ReserveThereAsync(call, price, amount, output, cancellationToken);
        }
        return new ReservedCall(this, call, price, amount, output < wanted ? (int)output : call.Model.MaxTokens, isShared);
    }

    /// <summary>Adds to a budget, for this run. By the same id it counts once.</summary>
    public void Raise(BudgetRaise raise) => _raises[raise.Id] = raise;

    internal void Settle(ReservedCall call, TokenUsage usage, bool isAnswer)
    {
        var cost = call.Price?.CostOf(usage) ?? 0;
        lock (_gate)
        {
            _reserved -= call.Amount;
            session.Usage.CountModelCall(call.Call.Agent, call.Call.Model, usage, call.Price is null ? null : cost, isAnswer);
        }
        if (call.IsShared)
        {
            _settled.Enqueue(new BudgetSettlement(call.Call.Id, new Spending(usage.Total, cost)));
        }
    }

    internal void Release(ReservedCall call)
    {
        Add(default(Spending) - call.Amount);
        if (call.IsShared)
        {
            _settled.Enqueue(new BudgetSettlement(call.Call.Id, default));
        }
    }

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

    private (Spending Amount, long Output) ReserveHere(PlannedCall call, ModelPrice? price, int wanted)
    {
        lock (_gate)
        {
            var spent = session.Usage.Spent + _reserved;
            var output = (long)wanted;
            CheckLimits(call, price, spent, ref output);
            if (!call.IsStandIn)
            {
                Check(BudgetScope.Run, call, price, spent, ref output);
                Check(BudgetScope.Thread, call, price, session.Run.Usage.Earlier + spent, ref output);
            }
            var amount = Amount(call, price, output);
            _reserved += amount;
            return (amount, output);
        }
    }

    private void CheckLimits(PlannedCall call, ModelPrice? price, Spending spent, ref long output)
    {
        var limits = session.Usage.Limits;
        if (!TryFit(new BudgetLimit(limits.MaxTokens, null), spent, call, price, ref output))
        {
            throw new FaultException(
                FaultCodes.TokenLimit, $"the run has used or reserved {spent.Tokens} of its {limits.MaxTokens} tokens, and another call of {call.Model} may take {Amount(call, price, LeastOf(call)).Tokens}",
                "raise max_tokens in the definition's limits, up to the server's");
        }
        if (!TryFit(new BudgetLimit(null, (decimal)Math.Min(limits.MaxCostUsd, 1e12)), spent, call, price, ref output))
        {
            throw new FaultException(
                FaultCodes.CostLimit, FormattableString.Invariant($"the run has spent or reserved ${spent.Cost:0.00####} of its ${limits.MaxCostUsd:0.00####}, and another call of {call.Model} may cost ${Amount(call, price, LeastOf(call)).Cost:0.00####}"),
                "raise max_cost_usd in the definition's limits, up to the server's");
        }
    }

    private void Check(BudgetScope scope, PlannedCall call, ModelPrice? price, Spending taken, ref long output)
    {
        if (LimitOf(scope) is { } limit && !TryFit(limit, taken, call, price, ref output))
        {
            throw new BudgetException(scope, limit, taken, call, Amount(call, price, LeastOf(call)));
        }
    }

    private async ValueTask<(Spending Amount, long Output)> ReserveThereAsync(
        PlannedCall call, ModelPrice? price, Spending amount, long output, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _usedLedger, true);
        var key = new BudgetKey(session.Run.Name, Policy.Period.NameAt(session.Services.Time.GetUtcNow()));
        var limit = LimitOf(BudgetScope.Definition)!;
        try
        {
            while (true)
            {
                var reservation = new BudgetReservation(session.ThreadId, session.Run.Fence, call.Id, amount);
                var balance = await session.Services.Budgets!.ReserveAsync(key, reservation, limit, cancellationToken);
                if (balance.IsGranted)
                {
                    return (amount, output);
                }
                var (taken, before) = (balance.Spent + balance.Reserved, output);
                if (!TryFit(limit, taken, call, price, ref output) || output == before)
                {
                    throw new BudgetException(BudgetScope.Definition, limit, taken, call, Amount(call, price, LeastOf(call)));
                }
                Add(default(Spending) - amount);
                amount = Amount(call, price, output);
                Add(amount);
            }
        }
        catch
        {
            Add(default(Spending) - amount);
            throw;
        }
    }

    private BudgetLimit? LimitOf(BudgetScope scope) => BudgetRaise.Apply(Policy, scope, _raises.Values);

    /// <summary>Bounds the output by what is left; false where not even a short answer fits.</summary>
    private static bool TryFit(BudgetLimit limit, Spending taken, PlannedCall call, ModelPrice? price, ref long output)
    {
        var room = limit.Tokens - taken.Tokens - call.InputTokens ?? long.MaxValue;
        if (limit.Cost is { } cost && price is not null)
        {
            var left = cost - taken.Cost - price.MostFor(call.InputTokens, output: 0);
            room = Math.Min(room, left < 0 ? -1 : price.OutputFor(left, call.InputTokens));
        }
        output = Math.Min(output, room);
        return output >= LeastOf(call);
    }

    private static int LeastOf(PlannedCall call) => Math.Min(LeastOutput, call.Model.MaxTokens ?? LeastOutput);

    private static Spending Amount(PlannedCall call, ModelPrice? price, long output) =>
        new(call.InputTokens + output, price?.MostFor(call.InputTokens, output) ?? 0);

    private void Add(Spending amount)
    {
        lock (_gate)
        {
            _reserved += amount;
        }
    }
}

/// <summary>What a person added to a budget of a run.</summary>
/// <param name="Id">The question that it answers.</param>
/// <param name="Scope">Which budget.</param>
/// <param name="By">By how much.</param>
public sealed record BudgetRaise(string Id, BudgetScope Scope, Spending By)
{
    /// <summary>A budget with what was added to it; null where there is none.</summary>
    public static BudgetLimit? Apply(BudgetPolicy policy, BudgetScope scope, IEnumerable<BudgetRaise> raises) =>
        policy.Of(scope) is { } limit ? raises.Where(raise => raise.Scope == scope).Aggregate(limit, static (sum, raise) => sum.Raise(raise.By)) : null;
}
