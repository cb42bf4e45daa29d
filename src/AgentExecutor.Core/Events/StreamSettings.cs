namespace AgentExecutor.Core.Events;

/// <summary>How live events are streamed to those who watch.</summary>
public sealed record StreamSettings
{
    /// <summary>What `on_state_update` carries: the `updates` of the superstep, or the whole `values` of the state.</summary>
    public StreamState State { get; init; } = StreamState.Updates;

    /// <summary>Milliseconds that events are gathered before they are sent together, 1,000 at most.</summary>
    public double GatherMilliseconds { get; init; } = 5;

    /// <summary>Events that may wait to be sent to Redis; beyond it the oldest are dropped, and counted.</summary>
    [AboveZero]
    public int BufferEvents { get; init; } = 20_000;

    /// <summary>Bytes that may wait to be sent to Redis.</summary>
    [AboveZero]
    public long BufferBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>About how many of a thread's events Redis keeps for replay, token chunks among them.</summary>
    [AboveZero]
    public int KeepEvents { get; init; } = 10_000;

    /// <summary>Seconds that Redis keeps them after the last one.</summary>
    [AboveZero]
    public double KeepSeconds { get; init; } = 3600;

    /// <summary>Events that may wait for one watcher. One that falls further behind reads on from the log; one that reads nothing meanwhile is told so and let go, and may resume.</summary>
    [AboveZero]
    public int WatcherEvents { get; init; } = 2_048;

    /// <summary>Bytes that may wait for one watcher.</summary>
    [AboveZero]
    public int WatcherBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Seconds for which a watcher may read nothing before it is too slow, where more waits than may.</summary>
    [AboveZero]
    public double WatcherPatienceSeconds { get; init; } = 2;

    /// <summary>Watchers at once in one process; further ones are refused with 503.</summary>
    [AboveZero]
    public int MaxWatchers { get; init; } = 10_000;

    /// <summary>Seconds between two signs of life where there is nothing to tell.</summary>
    [AboveZero]
    public double HeartbeatSeconds { get; init; } = 15;
}

/// <summary>What `on_state_update` carries.</summary>
public enum StreamState
{
    /// <summary>The channels that the superstep changed.</summary>
    Updates,

    /// <summary>The whole state.</summary>
    Values,
}
