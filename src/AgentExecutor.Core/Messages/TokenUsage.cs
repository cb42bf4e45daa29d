namespace AgentExecutor.Core.Messages;

/// <summary>
/// The tokens of one or more model calls. Tokens read from or written to a cache are part of the input; reasoning tokens are part of the
/// output.
/// </summary>
public readonly record struct TokenUsage(long Input, long Output, long CachedInput = 0, long Reasoning = 0, long CacheWrite = 0)
{
    public long Total => Input + Output;

    public static TokenUsage operator +(TokenUsage left, TokenUsage right) =>
        new(
            left.Input + right.Input,
            left.Output + right.Output,
            left.CachedInput + right.CachedInput,
            left.Reasoning + right.Reasoning,
            left.CacheWrite + right.CacheWrite
        );

    public static TokenUsage Add(TokenUsage left, TokenUsage right) => left + right;
}
