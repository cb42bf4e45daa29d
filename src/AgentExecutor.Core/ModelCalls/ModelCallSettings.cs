namespace AgentExecutor.Core.ModelCalls;

/// <summary>How models are called: how long an answer may take, what is tried again, and how much is asked of a model server at once.</summary>
public sealed record ModelCallSettings
{
    /// <summary>Seconds that a model may take to the first piece of its answer, whatever signs of life it gives before; then the call counts as timed out.</summary>
    [AboveZero]
    public double FirstTokenSeconds { get; init; } = 120;

    /// <summary>Seconds that a model may take from one piece of its answer, or sign of life, to the next; then the call counts as timed out.</summary>
    [AboveZero]
    public double NextTokenSeconds { get; init; } = 60;

    /// <summary>Attempts at one answer, the first counted, where the server fails, is away or stalls.</summary>
    [AboveZero]
    public int MaxAttempts { get; init; } = 4;

    /// <summary>Attempts at one answer, all counted, where the server says that it is asked too often.</summary>
    [AboveZero]
    public int MaxThrottledAttempts { get; init; } = 10;

    /// <summary>The longest wait before the second attempt, in seconds; it doubles from there.</summary>
    [AboveZero]
    public double FirstDelaySeconds { get; init; } = 0.5;

    /// <summary>The longest wait between two attempts, in seconds, where the server asks for none.</summary>
    [AboveZero]
    public double MaxDelaySeconds { get; init; } = 20;

    /// <summary>The longest wait, in seconds, that a server may ask for (`Retry-After`); where it asks for more, the call fails or falls back.</summary>
    public double MaxRetryAfterSeconds { get; init; } = 300;

    /// <summary>Failures in a row, of all runs together, after which a model server is left alone for a while; 0 for never.</summary>
    public int BreakerFailures { get; init; } = 10;

    /// <summary>Seconds for which it is left alone; then one call tries it.</summary>
    [AboveZero]
    public double BreakerSeconds { get; init; } = 15;

    /// <summary>Calls of one model server at once; 0 for as many as there are.</summary>
    public int MaxConcurrentCalls { get; init; }

    /// <summary>Calls of one model server a minute; 0 for no limit.</summary>
    public int RequestsPerMinute { get; init; }

    /// <summary>Tokens of one model server a minute, input and output; 0 for no limit. They are estimated before a call and corrected after it.</summary>
    public long TokensPerMinute { get; init; }
}
