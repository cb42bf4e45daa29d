using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>
/// Reads the token usage of a chat completion. Servers report it with different names, in different places, and some in every chunk.
/// </summary>
internal static class OpenAIUsage
{
    /// <param name="json">A chunk, choice or message that may contain a report.</param>
    /// <param name="tokens">Receives the plausible counts.</param>
    public static void Take(JsonElement json, TokenCounts tokens)
    {
        if ((json.Property("usage") ?? json.Property("x_groq")?.Property("usage") ?? json.Property("usage_metadata")) is not { } given)
        {
            return;
        }
        var usage = given.ValueKind == JsonValueKind.Array ? given.EnumerateArray().LastOrDefault() : given;
        var (input, output) = (
            Details(usage, "prompt_tokens_details", "input_tokens_details"),
            Details(usage, "completion_tokens_details", "output_tokens_details")
        );
        tokens.Input = TokenCounts.Count(usage, "prompt_tokens", "input_tokens", "promptTokens", "inputTokens") ?? tokens.Input;
        tokens.Output = TokenCounts.Count(usage, "completion_tokens", "output_tokens", "completionTokens", "outputTokens") ?? tokens.Output;
        tokens.Total = TokenCounts.Count(usage, "total_tokens", "totalTokens") ?? tokens.Total;
        tokens.Cached = TokenCounts.Count(input, "cached_tokens") ?? TokenCounts.Count(usage, "prompt_cache_hit_tokens") ?? tokens.Cached;
        tokens.Written = TokenCounts.Count(input, "cache_write_tokens") ?? tokens.Written;
        tokens.Reasoning = TokenCounts.Count(output, "reasoning_tokens") ?? tokens.Reasoning;
    }

    private static JsonElement Details(JsonElement usage, string name, string otherName) =>
        usage.Property(name) ?? usage.Property(otherName) ?? default;
}
