namespace AgentExecutor.Core.ModelCalls;

/// <summary>How long a timer is set for a wait, after which whoever waits looks again.</summary>
internal static class Pause
{
    /// <summary>Timers take no more than about 50 days.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>Whole milliseconds, rounded up: timers drop fractions, and would wake too early.</summary>
    public static TimeSpan Of(TimeSpan wait) => wait == Timeout.InfiniteTimeSpan ? wait
        : wait >= Longest ? Longest
        : TimeSpan.FromMilliseconds(Math.Ceiling(Math.Max(0, wait.TotalMilliseconds)));
}
