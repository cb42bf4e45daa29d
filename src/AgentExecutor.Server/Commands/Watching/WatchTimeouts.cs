namespace AgentExecutor.Server.Commands.Watching;

/// <summary>The delays and timeouts of a watch.</summary>
internal sealed record WatchTimeouts
{
    /// <summary>The minimum delay before a reconnection.</summary>
    public TimeSpan MinDelay { get; init; } = TimeSpan.FromSeconds(0.2);

    /// <summary>The maximum delay between two attempts.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The timeout until the response starts.</summary>
    public TimeSpan Response { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The timeout for the next byte: a little more than three heartbeats of 15 seconds.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(50);

    /// <summary>The delay grows with each attempt. It is random, so that the watchers of a service do not all reconnect at once.</summary>
    public TimeSpan DelayBefore(int tries) => MinDelay + (Random.Shared.NextDouble() * (Ceiling(tries) - MinDelay));

    private TimeSpan Ceiling(int tries) => TimeSpan.FromTicks(Math.Min(MaxDelay.Ticks, MinDelay.Ticks << Math.Min(tries + 1, 16)));
}
