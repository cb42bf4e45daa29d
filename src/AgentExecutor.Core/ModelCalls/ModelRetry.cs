using AgentExecutor.Core.ModelLimits;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// Decides whether and when a failed call to one model is retried: exponential back-off with jitter, or the delay that the server asked
/// for. A rate limit is not a failure of the server, so it allows more attempts.
/// </summary>
public sealed class ModelRetry(ModelCallSettings settings)
{
    /// <summary>From this attempt on, the back-off applies even if the server asks for a shorter delay.</summary>
    private const int BackOffAttempts = 4;

    private int _failures;
    private int _throttled;

    /// <summary>Returns the delay before the next attempt; null if the call is not retried.</summary>
    /// <param name="fault">The fault of the attempt.</param>
    /// <param name="timeLeft">The remaining time of the run. A retry that would exceed it is not made.</param>
    /// <param name="random">A number that is uniform in [0, 1).</param>
    public TimeSpan? After(FaultException fault, TimeSpan timeLeft, double random)
    {
        _ = fault.Code == FaultCodes.ModelRateLimited ? _throttled++ : _failures++;
        var attempts = _failures + _throttled;
        var maxAttempts = _throttled > 0 ? Math.Max(settings.MaxAttempts, settings.MaxThrottledAttempts) : settings.MaxAttempts;
        if (
            !fault.IsTransient
            || _failures >= settings.MaxAttempts
            || attempts >= maxAttempts
            || fault.RetryAfter?.TotalSeconds > settings.MaxRetryAfterSeconds
        )
        {
            return null;
        }
        var delay = Delay(fault.RetryAfter, attempts, random);
        return delay < timeLeft ? delay : null;
    }

    private TimeSpan Delay(TimeSpan? asked, int attempts, double random)
    {
        var ceiling = Math.Min(settings.MaxDelaySeconds, settings.FirstDelaySeconds * Math.Pow(2, attempts - 1));
        var backOff = TimeSpan.FromSeconds(ceiling * (0.5 + (random / 2)));
        if (asked is not { } wait)
        {
            return backOff;
        }
        // The retry is never early. The random addition spreads the retries of several calls.
        wait += TimeSpan.FromSeconds(Math.Min(1, wait.TotalSeconds / 10) * random);
        return attempts >= BackOffAttempts && backOff > wait ? backOff : wait;
    }
}
