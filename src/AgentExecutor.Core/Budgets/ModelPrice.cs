using System.Text.Json.Serialization;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Budgets;

/// <summary>The price of a model, in US dollars per million tokens.</summary>
public sealed record ModelPrice
{
    private const decimal Tokens = 1_000_000;

    [JsonRequired]
    public decimal Input { get; init; }

    /// <summary>The price of input that the provider reads from its cache; that of other input if omitted.</summary>
    public decimal? CachedInput { get; init; }

    /// <summary>The price of input that the provider writes to its cache; that of other input if omitted.</summary>
    public decimal? CacheWrite { get; init; }

    /// <summary>The price of output, including reasoning.</summary>
    [JsonRequired]
    public decimal Output { get; init; }

    /// <summary>The prices of calls whose input exceeds a certain length. They apply to all tokens of the call.</summary>
    public LongPromptPrice? LongPrompt { get; init; }

    /// <summary>Returns the cost of one call.</summary>
    public decimal CostOf(TokenUsage usage)
    {
        var price = At(usage.Input);
        var fresh = Math.Max(0, usage.Input - usage.CachedInput - usage.CacheWrite);
        var input =
            (fresh * price.Input)
            + (usage.CachedInput * (price.CachedInput ?? price.Input))
            + (usage.CacheWrite * (price.CacheWrite ?? price.Input));
        return (input + (usage.Output * price.Output)) / Tokens;
    }

    /// <summary>
    /// Returns the maximum cost of a call of this size. It assumes that all input is written to the cache if that is more expensive.
    /// </summary>
    public decimal MaxCostFor(long input, long output)
    {
        var price = At(input);
        return ((input * Math.Max(price.Input, price.CacheWrite ?? 0)) + (output * price.Output)) / Tokens;
    }

    /// <summary>Returns the number of output tokens that the money pays for, in a call with input of this length.</summary>
    public long OutputFor(decimal money, long input)
    {
        var price = At(input).Output;
        return price == 0 ? long.MaxValue : (long)Math.Clamp(money * Tokens / price, -1, long.MaxValue / 2);
    }

    private ModelPrice At(long input) => LongPrompt is { } longer && input > longer.Above ? longer.Price : this;
}

/// <summary>The prices of calls with long input.</summary>
public sealed record LongPromptPrice
{
    /// <summary>The number of input tokens above which these prices apply.</summary>
    public required long Above { get; init; }

    public required decimal Input { get; init; }

    public decimal? CachedInput { get; init; }

    public decimal? CacheWrite { get; init; }

    public required decimal Output { get; init; }

    internal ModelPrice Price =>
        new()
        {
            Input = Input,
            CachedInput = CachedInput,
            CacheWrite = CacheWrite,
            Output = Output,
        };
}
