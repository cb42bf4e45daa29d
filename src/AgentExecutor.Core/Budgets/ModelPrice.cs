using System.Text.Json.Serialization;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Budgets;

/// <summary>What a model costs, in US dollars per million tokens.</summary>
public sealed record ModelPrice
{
    private const decimal Tokens = 1_000_000;

    [JsonRequired]
    public decimal Input { get; init; }

    /// <summary>Input that the provider had in its cache; as other input where left out.</summary>
    public decimal? CachedInput { get; init; }

    /// <summary>Input that the provider puts into its cache; as other input where left out.</summary>
    public decimal? CacheWrite { get; init; }

    /// <summary>Output, reasoning included.</summary>
    [JsonRequired]
    public decimal Output { get; init; }

    /// <summary>What all tokens of a call cost whose input is longer than so many tokens.</summary>
    public LongPromptPrice? LongPrompt { get; init; }

    /// <summary>What one call costs.</summary>
    public decimal CostOf(TokenUsage usage)
    {
        var price = At(usage.Input);
        var fresh = Math.Max(0, usage.Input - usage.CachedInput - usage.CacheWrite);
        return ((fresh * price.Input) + (usage.CachedInput * (price.CachedInput ?? price.Input)) + (usage.CacheWrite * (price.CacheWrite ?? price.Input))
            + (usage.Output * price.Output)) / Tokens;
    }

    /// <summary>The most that a call of this size can cost: all of its input written to the cache, where that is dearer.</summary>
    public decimal MostFor(long input, long output)
    {
        var price = At(input);
        return ((input * Math.Max(price.Input, price.CacheWrite ?? 0)) + (output * price.Output)) / Tokens;
    }

    /// <summary>How many output tokens the money buys, after input of this length.</summary>
    public long OutputFor(decimal money, long input)
    {
        var price = At(input).Output;
        return price == 0 ? long.MaxValue : (long)Math.Clamp(money * Tokens / price, -1, long.MaxValue / 2);
    }

    private ModelPrice At(long input) => LongPrompt is { } longer && input > longer.Above ? longer.Price : this;
}

/// <summary>The price of long prompts.</summary>
public sealed record LongPromptPrice
{
    /// <summary>Input tokens beyond which it holds.</summary>
    public required long Above { get; init; }

    public required decimal Input { get; init; }

    public decimal? CachedInput { get; init; }

    public decimal? CacheWrite { get; init; }

    public required decimal Output { get; init; }

    internal ModelPrice Price => new() { Input = Input, CachedInput = CachedInput, CacheWrite = CacheWrite, Output = Output };
}
