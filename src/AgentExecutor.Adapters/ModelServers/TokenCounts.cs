using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// A server's report of the tokens that an answer used. A count that is not a positive number is ignored, and the runtime estimates it.
/// Repeated reports refer to the whole answer so far, so the last one counts.
/// </summary>
internal sealed class TokenCounts
{
    /// <summary>An upper bound for the tokens of a call. A larger reported number is considered an error.</summary>
    private const long Max = 10_000_000;

    public long? Input { get; set; }

    public long? Output { get; set; }

    public long? Total { get; set; }

    public long? Cached { get; set; }

    public long? Written { get; set; }

    public long? Reasoning { get; set; }

    /// <summary>Returns the first plausible count among the members. Some servers write counts as strings or with a fraction.</summary>
    public static long? Count(JsonElement json, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (json.Property(name) is { } value && Number(value) is { } number && Math.Ceiling(number) is >= 1 and <= Max and var count)
            {
                return (long)count;
            }
        }
        return null;
    }

    /// <summary>Returns null if nothing was reported.</summary>
    public UsageDetails? ToUsage() =>
        (Input ?? Output ?? Total) is null
            ? null
            : new UsageDetails
            {
                InputTokenCount = Input,
                OutputTokenCount = Output,
                TotalTokenCount = Total,
                CachedInputTokenCount = Cached,
                ReasoningTokenCount = Reasoning,
            }.WithCacheWrite(Written ?? 0);

    private static double? Number(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.Number when json.TryGetDouble(out var number) => number,
            JsonValueKind.String
                when double.TryParse(WellFormedText.Of(json), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
            _ => null,
        };
}
