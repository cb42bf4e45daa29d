namespace AgentExecutor.Core.ModelLimits;

/// <summary>How models are called: timeouts, retries and rate limits.</summary>
public sealed record ModelCallSettings
{
    /// <summary>The timeout in seconds for the first piece of an answer, regardless of keep-alive signals of the server.</summary>
    [AboveZero]
    public double FirstTokenSeconds { get; init; } = 120;

    /// <summary>The timeout in seconds for the next piece of an answer or keep-alive signal of the server.</summary>
    [AboveZero]
    public double NextTokenSeconds { get; init; } = 60;

    /// <summary>The maximum number of attempts, including the first, when the server fails, cannot be reached or times out.</summary>
    [AboveZero]
    public int MaxAttempts { get; init; } = 4;

    /// <summary>The maximum number of attempts, including the first, when the server reports that its rate limit is exceeded.</summary>
    [AboveZero]
    public int MaxThrottledAttempts { get; init; } = 10;

    /// <summary>The maximum delay in seconds before the second attempt. The delay doubles with each attempt.</summary>
    [AboveZero]
    public double FirstDelaySeconds { get; init; } = 0.5;

    /// <summary>The maximum delay in seconds between two attempts, if the server does not request a delay.</summary>
    [AboveZero]
    public double MaxDelaySeconds { get; init; } = 20;

    /// <summary>
    /// The maximum delay in seconds that a server may request (`Retry-After`). If it requests more, the call fails or falls back to another
    /// model.
    /// </summary>
    public double MaxRetryAfterSeconds { get; init; } = 300;

    /// <summary>
    /// The number of consecutive failures, counted over all runs, after which calls to a model server are paused; 0 disables this.
    /// </summary>
    public int BreakerFailures { get; init; } = 10;

    /// <summary>The time in seconds for which calls are paused. After that one call tests the server.</summary>
    [AboveZero]
    public double BreakerSeconds { get; init; } = 15;

    /// <summary>The maximum number of concurrent calls to one model server; 0 means no limit.</summary>
    public int MaxConcurrentCalls { get; init; }

    /// <summary>The maximum number of calls to one model server per minute; 0 means no limit.</summary>
    public int RequestsPerMinute { get; init; }

    /// <summary>
    /// The maximum number of input and output tokens of one model server per minute; 0 means no limit. Tokens are estimated before a call
    /// and corrected after it.
    /// </summary>
    public long TokensPerMinute { get; init; }
}
