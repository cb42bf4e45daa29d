namespace AgentExecutor.Core.Execution;

/// <summary>Whether and when a failed task is tried again: exponential back-off with full jitter, and what the other side asked for where it did.</summary>
/// <param name="MaxAttempts">Attempts in all; 1 for no retry.</param>
/// <param name="FirstDelay">The longest wait before the second attempt; it doubles from there.</param>
/// <param name="MaxDelay">The longest wait of all.</param>
public sealed record RetryPolicy(int MaxAttempts, TimeSpan FirstDelay, TimeSpan MaxDelay)
{
    public static readonly RetryPolicy None = new(1, TimeSpan.Zero, TimeSpan.Zero);

    public static readonly RetryPolicy Standard = new(4, TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(20));

    public bool Allows(Exception exception, int attempt) =>
        attempt < MaxAttempts && (exception is FaultException { IsTransient: true } or TimeoutException or HttpRequestException);

    /// <summary>The wait before the next attempt. <paramref name="random"/> is uniform in [0, 1).</summary>
    public TimeSpan DelayAfter(int attempt, Exception exception, double random)
    {
        if (exception is FaultException { RetryAfter: { } asked })
        {
            return asked < MaxDelay ? asked : MaxDelay;
        }
        var ceiling = Math.Min(MaxDelay.TotalMilliseconds, FirstDelay.TotalMilliseconds * Math.Pow(2, attempt - 1));
        return TimeSpan.FromMilliseconds(ceiling * random);
    }
}
