namespace AgentExecutor.Core.Events;

/// <summary>How live events are streamed to watchers.</summary>
public sealed record StreamSettings
{
    /// <summary>What `on_state_update` contains: the `updates` of the superstep, or all `values` of the state.</summary>
    public StreamState State { get; init; } = StreamState.Updates;

    /// <summary>The time in milliseconds during which events are collected to be sent together; at most 1,000.</summary>
    public double GatherMilliseconds { get; init; } = 5;

    /// <summary>The maximum number of events that wait to be sent to Redis. Beyond it the oldest events are dropped and counted.</summary>
    [AboveZero]
    public int BufferEvents { get; init; } = 20_000;

    /// <summary>The maximum size in bytes of the events that wait to be sent to Redis.</summary>
    [AboveZero]
    public long BufferBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>The approximate number of events per thread, including token chunks, that Redis keeps for replay.</summary>
    [AboveZero]
    public int KeepEvents { get; init; } = 10_000;

    /// <summary>The time in seconds that Redis keeps the events of a thread after the last one.</summary>
    [AboveZero]
    public double KeepSeconds { get; init; } = 3600;

    /// <summary>
    /// The maximum number of events that wait for one watcher. A slower watcher continues from the log. A watcher that reads nothing at all
    /// is disconnected with a reason, and can resume.
    /// </summary>
    [AboveZero]
    public int WatcherEvents { get; init; } = 2_048;

    /// <summary>The maximum size in bytes of the events that wait for one watcher.</summary>
    [AboveZero]
    public int WatcherBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>The time in seconds that a watcher whose limit is exceeded may read nothing before it is disconnected.</summary>
    [AboveZero]
    public double WatcherPatienceSeconds { get; init; } = 2;

    /// <summary>The maximum number of watchers of one process. Further watchers are rejected with 503.</summary>
    [AboveZero]
    public int MaxWatchers { get; init; } = 10_000;

    /// <summary>The interval in seconds between heartbeats while there are no events.</summary>
    [AboveZero]
    public double HeartbeatSeconds { get; init; } = 15;
}

/// <summary>What `on_state_update` contains.</summary>
public enum StreamState
{
    /// <summary>The channels that the superstep changed.</summary>
    Updates,

    /// <summary>The whole state.</summary>
    Values,
}
