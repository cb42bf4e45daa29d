using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>Counts of a provider's usage that <see cref="UsageDetails"/> has no place of its own for.</summary>
public static class UsageCounts
{
    private const string CacheWriteName = "cache_write_tokens";

    /// <summary>Input tokens that the provider put into its cache; some charge more for them.</summary>
    public static long CacheWrite(UsageDetails details) => details.AdditionalCounts?.GetValueOrDefault(CacheWriteName) ?? 0;

    /// <summary>The usage with what was written to the cache.</summary>
    public static UsageDetails WithCacheWrite(this UsageDetails details, long tokens)
    {
        if (tokens > 0)
        {
            (details.AdditionalCounts ??= [])[CacheWriteName] = tokens;
        }
        return details;
    }
}
