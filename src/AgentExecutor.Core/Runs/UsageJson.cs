using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>Writes and reads the usage of a run, for the store and for events and results. Values of zero are omitted.</summary>
internal static class UsageJson
{
    /// <summary>Writes everything that a run needs to continue, for the store.</summary>
    public static void WriteSpending(Utf8JsonWriter writer, RunUsage usage)
    {
        WriteCost(writer, usage);
        if (usage.Earlier != default)
        {
            writer.WriteStartObject("earlier"u8);
            writer.WriteNumber("tokens"u8, usage.Earlier.Tokens);
            WriteCost(writer, usage.Earlier.Cost);
            writer.WriteEndObject();
        }
        if (!usage.Raises.IsEmpty)
        {
            writer.WriteStartArray("raises"u8);
            foreach (var raise in usage.Raises)
            {
                writer.WriteStartObject();
                writer.WriteString("id"u8, raise.Id);
                writer.WriteString("scope"u8, NameOf(raise.Scope));
                writer.WriteNumber("tokens"u8, raise.By.Tokens);
                WriteCost(writer, raise.By.Cost);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }
    }

    /// <summary>Writes the cost, for results and events.</summary>
    public static void WriteCost(Utf8JsonWriter writer, RunUsage usage)
    {
        if (usage.ByModel.IsEmpty && usage.CostUsd == 0)
        {
            return;
        }
        WriteCost(writer, usage.CostUsd);
        if (usage.UnpricedCalls > 0)
        {
            writer.WriteNumber("unpriced_calls"u8, usage.UnpricedCalls);
        }
        writer.WriteStartArray("by_model"u8);
        foreach (var it in usage.ByModel)
        {
            writer.WriteStartObject();
            writer.WriteString("agent"u8, it.Agent);
            writer.WriteString("model"u8, it.Model);
            writer.WriteNumber("calls"u8, it.Calls);
            writer.WriteNumber("input_tokens"u8, it.Tokens.Input);
            writer.WriteNumber("output_tokens"u8, it.Tokens.Output);
            writer.WriteNumber("cached_input_tokens"u8, it.Tokens.CachedInput);
            writer.WriteNumber("cache_write_tokens"u8, it.Tokens.CacheWrite);
            writer.WriteNumber("reasoning_tokens"u8, it.Tokens.Reasoning);
            if (it.CostUsd is { } cost)
            {
                WriteCost(writer, cost);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    // The division removes trailing zeros.
    public static void WriteCost(Utf8JsonWriter writer, decimal cost) =>
        writer.WriteNumber("cost_usd"u8, decimal.Round(cost, 12) / 1.000000000000000000000000m);

    public static decimal? Cost(JsonElement json) =>
        json.Property("cost_usd") is { ValueKind: JsonValueKind.Number } number && number.TryGetDecimal(out var cost) ? cost : null;

    public static long Count(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var count) ? count : 0;

    public static ImmutableArray<ModelUsage> ReadByModel(JsonElement json) =>
        json.Property("by_model") is { ValueKind: JsonValueKind.Array } list
            ?
            [
                .. list.EnumerateArray()
                    .Select(it => new ModelUsage(
                        it.TextProperty("agent") ?? "",
                        it.TextProperty("model") ?? "",
                        Count(it, "calls"),
                        new TokenUsage(
                            Count(it, "input_tokens"),
                            Count(it, "output_tokens"),
                            Count(it, "cached_input_tokens"),
                            Count(it, "reasoning_tokens"),
                            Count(it, "cache_write_tokens")
                        ),
                        Cost(it)
                    )),
            ]
            : [];

    public static ImmutableArray<BudgetRaise> ReadRaises(JsonElement json) =>
        json.Property("raises") is { ValueKind: JsonValueKind.Array } list
            ?
            [
                .. list.EnumerateArray()
                    .Select(it => new BudgetRaise(
                        it.TextProperty("id") ?? "",
                        Enum.Parse<BudgetScope>(it.TextProperty("scope") ?? "", ignoreCase: true),
                        new Spending(Count(it, "tokens"), Cost(it) ?? 0)
                    )),
            ]
            : [];

    public static string NameOf(BudgetScope scope) => scope.ToString().ToLowerInvariant();
}
