namespace AgentExecutor.Core.Budgets;

/// <summary>Computes how much room limits and budgets leave for one model call. Each limit narrows it further.</summary>
internal sealed class BudgetRoom(PlannedCall call, ModelPrice? price)
{
    /// <summary>The number of output tokens to reserve if the model's definition does not limit them.</summary>
    public const int DefaultOutput = 16_384;

    /// <summary>An answer with fewer tokens is not useful.</summary>
    private const int MinOutput = 256;

    private readonly long _wanted = call.Model.MaxTokens ?? DefaultOutput;

    /// <summary>The number of output tokens that there is room for.</summary>
    public long Output { get; private set; } = call.Model.MaxTokens ?? DefaultOutput;

    /// <summary>The fault of the limit that makes the answer shorter than requested; null if there is none.</summary>
    public FaultException? ShortenedBy { get; private set; }

    /// <summary>True if reservations of other calls prevent the call, so that there may be room when they finish.</summary>
    public bool MustWait { get; private set; }

    /// <summary>The amount to reserve.</summary>
    public Spending Amount => AmountFor(Output);

    /// <summary>The smallest amount that the call can require.</summary>
    public Spending Least => AmountFor(RequiredOutput);

    private long RequiredOutput => Math.Min(MinOutput, _wanted);

    /// <summary>
    /// Applies a limit. Reserved amounts may never be spent, so a limit shortens the answer only if nothing is reserved, and refuses the
    /// call only if what is spent leaves too little.
    /// </summary>
    /// <param name="limit">The limit.</param>
    /// <param name="spent">The amount spent so far.</param>
    /// <param name="reserved">The amount that calls in flight may still spend.</param>
    /// <param name="refuse">Creates the exception for a refusal, given the amount spent.</param>
    /// <exception cref="FaultException">The limit leaves too little room. The exception is created by
    /// <paramref name="refuse"/>.</exception>
    public void Narrow(BudgetLimit limit, Spending spent, Spending reserved, Func<Spending, FaultException> refuse)
    {
        if (OutputWithin(limit, spent) < RequiredOutput)
        {
            throw refuse(spent);
        }
        var output = OutputWithin(limit, spent + reserved);
        if (output >= Output)
        {
            return;
        }
        if (reserved != default)
        {
            MustWait = true;
            return;
        }
        (Output, ShortenedBy) = (output, refuse(spent));
    }

    private long OutputWithin(BudgetLimit limit, Spending taken)
    {
        var room = limit.Tokens - taken.Tokens - call.InputTokens ?? long.MaxValue;
        if (limit.Cost is { } cost && price is not null)
        {
            var left = cost - taken.Cost - price.MaxCostFor(call.InputTokens, output: 0);
            room = Math.Min(room, left < 0 ? -1 : price.OutputFor(left, call.InputTokens));
        }
        return Math.Min(room, _wanted);
    }

    private Spending AmountFor(long output) => new(call.InputTokens + output, price?.MaxCostFor(call.InputTokens, output) ?? 0);
}
