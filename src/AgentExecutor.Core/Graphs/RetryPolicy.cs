namespace AgentExecutor.Core.Graphs;

/// <summary>
/// Decides whether and when a failed task is retried: exponential back-off with full jitter, or the delay that the failing service asked
/// for.
/// </summary>
/// <param name="MaxAttempts">The total number of attempts; 1 disables retries.</param>
/// <param name="FirstDelay">The upper bound of the delay before the second attempt. It doubles with each further attempt.</param>
/// <param name="MaxDelay">The upper bound of every delay.</param>
public sealed record RetryPolicy(int MaxAttempts, TimeSpan FirstDelay, TimeSpan MaxDelay)
{
    public static readonly RetryPolicy None = new(1, TimeSpan.Zero, TimeSpan.Zero);

    public static readonly RetryPolicy Standard = new(4, TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(20));

    public bool Allows(Exception exception, int attempt) =>
        attempt < MaxAttempts && (exception is FaultException { IsTransient: true } or TimeoutException or HttpRequestException);

    /// <summary>Returns the delay before the next attempt. <paramref name="random"/> must be uniform in [0, 1).</summary>
    public TimeSpan DelayAfter(int attempt, Exception exception, double random)
    {
        if (exception is FaultException { RetryAfter: { } asked })
        {
            return asked < MaxDelay ? asked : MaxDelay;
        }
        return DelayAfter(attempt, random);
    }

    /// <summary>Returns the delay before the next attempt. <paramref name="random"/> must be uniform in [0, 1).</summary>
    public TimeSpan DelayAfter(int attempt, double random)
    {
        var ceiling = Math.Min(MaxDelay.TotalMilliseconds, FirstDelay.TotalMilliseconds * Math.Pow(2, attempt - 1));
        return TimeSpan.FromMilliseconds(ceiling * random);
    }
}
