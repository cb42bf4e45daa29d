namespace AgentExecutor.Core.Workers;

/// <summary>How a worker claims and executes runs.</summary>
public sealed record WorkerSettings
{
    /// <summary>The maximum number of runs that execute at once. A run that waits for a model costs little, so hundreds are fine.</summary>
    [AboveZero]
    public int Slots { get; init; } = 100;

    /// <summary>
    /// The maximum number of additional runs that wait for a retry or a rate limit. They keep their lease but do not occupy a slot. Further
    /// waiting runs keep their slot.
    /// </summary>
    public int MaxWaiting { get; init; } = 1_000;

    /// <summary>
    /// The duration of a lease in seconds. A lease is renewed three times within it. When a worker dies, its runs wait this long for
    /// another worker.
    /// </summary>
    [AboveZero]
    public double LeaseSeconds { get; init; } = 5;

    /// <summary>The interval in seconds at which expired leases are looked for.</summary>
    [AboveZero]
    public double RescueSeconds { get; init; } = 0.2;

    /// <summary>The interval in seconds at which due runs are looked for, in addition to notifications.</summary>
    [AboveZero]
    public double PollSeconds { get; init; } = 1;

    /// <summary>The maximum number of deliveries of a message, after which it becomes a dead letter.</summary>
    [AboveZero]
    public int MaxDeliveries { get; init; } = 20;

    /// <summary>The maximum number of workers that may die on a run without a checkpoint in between, after which the run fails.</summary>
    [AboveZero]
    public int MaxCrashes { get; init; } = 5;
}
