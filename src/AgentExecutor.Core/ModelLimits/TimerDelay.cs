namespace AgentExecutor.Core.ModelLimits;

/// <summary>Converts a wait to a delay that a timer supports. The caller must check again after the delay.</summary>
internal static class TimerDelay
{
    /// <summary>Timers support at most about 50 days.</summary>
    private static readonly TimeSpan Max = TimeSpan.FromDays(1);

    /// <summary>Rounds up to whole milliseconds, because timers drop fractions and would fire too early.</summary>
    public static TimeSpan Of(TimeSpan wait) =>
        wait == Timeout.InfiniteTimeSpan ? wait
        : wait >= Max ? Max
        : TimeSpan.FromMilliseconds(Math.Ceiling(Math.Max(0, wait.TotalMilliseconds)));
}
