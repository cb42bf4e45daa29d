namespace AgentExecutor.Core.Budgets;

/// <summary>How much room limits and budgets leave for one model call: narrowed by each in turn.</summary>
internal sealed class BudgetRoom(PlannedCall call, ModelPrice? price)
{
    /// <summary>Output that is reserved where the model's definition does not bound it.</summary>
    public const int UsualOutput = 16_384;

    /// <summary>An answer shorter than that is of no use.</summary>
    private const int LeastOutput = 256;

    private readonly long _wanted = call.Model.MaxTokens ?? UsualOutput;

    /// <summary>The output tokens that there is room for.</summary>
    public long Output { get; private set; } = call.Model.MaxTokens ?? UsualOutput;

    /// <summary>The answer is to be shorter than it might be; this is why.</summary>
    public FaultException? Bound { get; private set; }

    /// <summary>What calls in flight have reserved stands in the way; when they are over there may be room.</summary>
    public bool MustWait { get; private set; }

    /// <summary>What is to be reserved.</summary>
    public Spending Amount => AmountFor(Output);

    /// <summary>The least that the call may come to.</summary>
    public Spending Least => AmountFor(LeastOf);

    private long LeastOf => Math.Min(LeastOutput, _wanted);

    /// <summary>What is reserved is not spent: only where nothing is reserved does a limit bound the answer or refuse the call.</summary>
    /// <param name="limit">The limit.</param>
    /// <param name="spent">What is spent of it.</param>
    /// <param name="reserved">What calls in flight may yet spend.</param>
    /// <param name="refuse">Why there is no room, for what is taken of it.</param>
    /// <exception cref="FaultException">As <paramref name="refuse"/> made it.</exception>
    public void Narrow(BudgetLimit limit, Spending spent, Spending reserved, Func<Spending, FaultException> refuse)
    {
        if (Fitting(limit, spent) < LeastOf)
        {
            throw refuse(spent);
        }
        var fitting = Fitting(limit, spent + reserved);
        if (fitting >= Output)
        {
            return;
        }
        if (reserved != default)
        {
            MustWait = true;
            return;
        }
        (Output, Bound) = (fitting, refuse(spent));
    }

    private long Fitting(BudgetLimit limit, Spending taken)
    {
        var room = limit.Tokens - taken.Tokens - call.InputTokens ?? long.MaxValue;
        if (limit.Cost is { } cost && price is not null)
        {
            var left = cost - taken.Cost - price.MostFor(call.InputTokens, output: 0);
            room = Math.Min(room, left < 0 ? -1 : price.OutputFor(left, call.InputTokens));
        }
        return Math.Min(room, _wanted);
    }

    private Spending AmountFor(long output) => new(call.InputTokens + output, price?.MostFor(call.InputTokens, output) ?? 0);
}
