namespace AgentExecutor.Core.ModelCalls;

/// <summary>
/// Decides whether and when a failed call of one model is made again: exponential back-off with jitter, or what the server asked for. Being asked to come later
/// is no failure of the server, so more attempts are allowed then.
/// </summary>
public sealed class ModelRetry(ModelCallSettings settings)
{
    /// <summary>From here on even a server that asks for no wait to speak of is given some.</summary>
    private const int ImpatientAttempts = 4;

    private int _failures;
    private int _throttled;

    /// <summary>The wait before the next attempt; null where there is to be none.</summary>
    /// <param name="fault">What the attempt failed with.</param>
    /// <param name="timeLeft">What the run has left: no wait is begun that it cannot end.</param>
    /// <param name="random">Uniform in [0, 1).</param>
    public TimeSpan? After(FaultException fault, TimeSpan timeLeft, double random)
    {
        _ = fault.Code == FaultCodes.ModelRateLimited ? _throttled++ : _failures++;
        var attempts = _failures + _throttled;
        var most = _throttled > 0 ? Math.Max(settings.MaxAttempts, settings.MaxThrottledAttempts) : settings.MaxAttempts;
        if (!fault.IsTransient || _failures >= settings.MaxAttempts || attempts >= most || fault.RetryAfter?.TotalSeconds > settings.MaxRetryAfterSeconds)
        {
            return null;
        }
        var delay = Delay(fault.RetryAfter, attempts, random);
        return delay < timeLeft ? delay : null;
    }

    private TimeSpan Delay(TimeSpan? asked, int attempts, double random)
    {
        var ceiling = Math.Min(settings.MaxDelaySeconds, settings.FirstDelaySeconds * Math.Pow(2, attempts - 1));
        var own = TimeSpan.FromSeconds(ceiling * (0.5 + (random / 2)));
        if (asked is not { } wait)
        {
            return own;
        }
        wait += TimeSpan.FromSeconds(Math.Min(1, wait.TotalSeconds / 10) * random); // never earlier, and not all at once
        return attempts >= ImpatientAttempts && own > wait ? own : wait;
    }
}
