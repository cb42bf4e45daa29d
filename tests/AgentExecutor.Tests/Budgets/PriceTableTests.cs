using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Tests.Budgets;

public sealed class PriceTableTests
{
    [Theory]
    [InlineData("openai", "gpt-4o", 2.5)]
    [InlineData("openai", "gpt-4o-2024-08-06", 2.5)]
    [InlineData("openai", "gpt-4o-mini-2024-07-18", 0.15)]
    [InlineData("anthropic", "claude-haiku-4-5-20251001", 1.0)]
    [InlineData("anthropic", "claude-3-5-haiku-latest", 0.8)]
    [InlineData("ollama", "whatever:8b", 0.0)]
    [InlineData("scripted", "demo", 0.0)]
    [InlineData("openai", "gpt-4o-2024", null)]
    [InlineData("openai", "gpt-4o-audio", null)]
    [InlineData("openai-compatible", "gpt-4o", null)]
    public void A_model_is_found_by_its_name_with_or_without_a_date(string provider, string model, double? input) =>
        Assert.Equal((decimal?)input, PriceTable.Shipped.Find(provider, model)?.Input);

    [Theory]
    [InlineData("openai", "gpt-4o", "gpt-4o")]
    [InlineData("openai", "gpt-4o-2024-08-06", "gpt-4o")]
    [InlineData("ollama", "whatever:8b", null)]
    [InlineData("ollama", "*", null)]
    [InlineData("openai", "made-up", null)]
    public void The_name_of_a_model_is_found_in_the_table(string provider, string model, string? name) =>
        Assert.Equal(name, PriceTable.Shipped.NameOf(provider, model));

    [Fact]
    public void Every_shipped_price_is_plausible()
    {
        foreach (
            var name in (string[])
                [
                    "openai:gpt-6-sol",
                    "openai:gpt-5.4-mini",
                    "anthropic:claude-opus-5-5",
                    "anthropic:claude-sonnet-4-5",
                    "anthropic:claude-haiku-5-5",
                ]
        )
        {
            var price = PriceTable.Shipped.Find(name.Split(':')[0], name.Split(':')[1])!;
            Assert.True(price.CachedInput < price.Input && price.Input < price.Output, name);
        }
        Assert.NotEmpty(PriceTable.Shipped.AsOf);
    }

    [Fact]
    public void The_cost_of_a_call_is_the_sum_over_the_kinds_of_tokens()
    {
        var price = new ModelPrice
        {
            Input = 2,
            CachedInput = 0.2m,
            CacheWrite = 2.5m,
            Output = 10,
        };

        Assert.Equal(
            0.002m + 0.0004m + 0.0025m + 0.01m,
            price.CostOf(new TokenUsage(4_000, 1_000, CachedInput: 2_000, Reasoning: 500, CacheWrite: 1_000))
        );
        Assert.Equal(0.008m, (price with { CachedInput = null }).CostOf(new TokenUsage(4_000, 0, CachedInput: 2_000)));
    }

    [Fact]
    public void Long_prompts_have_separate_prices()
    {
        var price = new ModelPrice
        {
            Input = 1,
            Output = 2,
            LongPrompt = new LongPromptPrice
            {
                Above = 1_000,
                Input = 10,
                Output = 20,
            },
        };

        Assert.Equal(0.001m, price.CostOf(new TokenUsage(1_000, 0)));
        Assert.Equal(0.01001m + 0.0002m, price.CostOf(new TokenUsage(1_001, 10)));
    }

    [Fact]
    public void Prices_from_a_file_override_the_shipped_ones()
    {
        var prices = PriceTable.Shipped.With(
            """{"as_of": "today", "models": {"openai:gpt-4o": {"input": 7, "output": 8}, "house:*": {"input": 1, "output": 1}}}"""u8
        );

        Assert.Equal(7, prices.Find("openai", "gpt-4o-2024-08-06")!.Input);
        Assert.Equal(1, prices.Find("house", "anything")!.Output);
        Assert.Equal(("today", 0.15m), (prices.AsOf, prices.Find("openai", "gpt-4o-mini")!.Input));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"models": {"gpt-4o": {"input": 1, "output": 1}}}""")]
    [InlineData("""{"models": {"openai:gpt-4o": {"input": -1, "output": 1}}}""")]
    [InlineData("""{"models": {"openai:gpt-4o": null}}""")]
    [InlineData("""{"models": {"openai:gpt-4o": {"imput": 1, "output": 1}}}""")]
    [InlineData("""{"models": {"openai:gpt-4o": {"input": "1"}}}""")]
    [InlineData("""{"models": {"openai:gpt-4o": {"input": 1}}}""")]
    [InlineData("""{"models": {"openai:gpt-4o": {"input": 1, "output": 1}, "openai:gpt-4o": {"input": 2, "output": 2}}}""")]
    public void A_file_that_is_not_a_price_table_is_rejected_with_a_hint(string file)
    {
        var fault = Assert.Throws<FaultException>(() => PriceTable.Shipped.With(Encoding.UTF8.GetBytes(file)));

        Assert.Equal(FaultCodes.InvalidPrices, fault.Code);
        Assert.Contains("provider:model", fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Periods_are_named_in_UTC()
    {
        var time = new DateTimeOffset(2026, 11, 1, 0, 30, 0, TimeSpan.FromHours(1));

        Assert.Equal(
            ["2026-10-31T23Z", "2026-10-31", "2026-10", "total"],
            ((BudgetPeriod[])[BudgetPeriod.Hour, BudgetPeriod.Day, BudgetPeriod.Month, BudgetPeriod.Total]).Select(period =>
                period.NameAt(time)
            )
        );
    }
}
