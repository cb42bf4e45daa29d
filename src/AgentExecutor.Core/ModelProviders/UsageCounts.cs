using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>Counters for which <see cref="UsageDetails"/> has no property.</summary>
public static class UsageCounts
{
    private const string CacheWriteName = "cache_write_tokens";

    /// <summary>Returns the number of input tokens that the provider wrote to its cache. Some providers charge more for them.</summary>
    public static long CacheWrite(UsageDetails details) => details.AdditionalCounts?.GetValueOrDefault(CacheWriteName) ?? 0;

    /// <summary>Adds the number of tokens written to the cache.</summary>
    public static UsageDetails WithCacheWrite(this UsageDetails details, long tokens)
    {
        if (tokens > 0)
        {
            (details.AdditionalCounts ??= [])[CacheWriteName] = tokens;
        }
        return details;
    }
}
