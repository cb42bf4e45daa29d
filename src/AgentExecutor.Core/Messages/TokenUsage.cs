namespace AgentExecutor.Core.Messages;

/// <summary>Tokens of one or more model calls. Those read from a cache and written to it are part of the input, reasoning tokens part of the output.</summary>
public readonly record struct TokenUsage(long Input, long Output, long CachedInput = 0, long Reasoning = 0, long CacheWrite = 0)
{
    public long Total => Input + Output;

    public static TokenUsage operator +(TokenUsage left, TokenUsage right) => new(
        left.Input + right.Input,
        left.Output + right.Output,
        left.CachedInput + right.CachedInput,
        left.Reasoning + right.Reasoning,
        left.CacheWrite + right.CacheWrite);

    public static TokenUsage Add(TokenUsage left, TokenUsage right) => left + right;
}
