namespace AgentExecutor.Core.Workers;

/// <summary>How a worker takes runs and keeps them.</summary>
public sealed record WorkerSettings
{
    /// <summary>Runs at once. A run that waits for a model costs little: hundreds are fine.</summary>
    [AboveZero]
    public int Slots { get; init; } = 100;

    /// <summary>Runs in hand beside those, that do nothing but wait for a retry or a rate limit: they keep their lease and give their slot away. What waits beyond so many keeps its slot.</summary>
    public int MaxWaiting { get; init; } = 1_000;

    /// <summary>Seconds that a lease lasts from each renewal; it is renewed three times as often. When a worker dies its runs wait so long.</summary>
    [AboveZero]
    public double LeaseSeconds { get; init; } = 5;

    /// <summary>Seconds between two looks for runs whose lease ran out.</summary>
    [AboveZero]
    public double RescueSeconds { get; init; } = 0.2;

    /// <summary>Seconds between two looks for due runs when no wake-up comes.</summary>
    [AboveZero]
    public double PollSeconds { get; init; } = 1;

    /// <summary>How often a message may be delivered without its job being done with, before it goes to the dead letters.</summary>
    [AboveZero]
    public int MaxDeliveries { get; init; } = 20;

    /// <summary>How many workers a run may lose, without a checkpoint in between, before it fails.</summary>
    [AboveZero]
    public int MaxCrashes { get; init; } = 5;
}
