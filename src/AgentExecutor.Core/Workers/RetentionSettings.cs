namespace AgentExecutor.Core.Workers;

/// <summary>What is kept, and for how long. By default no thread is deleted. Threads that have not ended are never deleted.</summary>
public sealed record RetentionSettings
{
    /// <summary>The time in days that ended threads are kept; 0 keeps them forever.</summary>
    public double FinishedDays { get; init; }

    /// <summary>The number of most recently ended threads that are kept; 0 keeps all.</summary>
    public int FinishedThreads { get; init; }

    /// <summary>
    /// The number of newest checkpoints that are kept of an ended thread, in addition to the data needed to rebuild their state; 0 keeps
    /// all.
    /// </summary>
    public int Checkpoints { get; init; }

    /// <summary>The time in hours that a result stays in the outbox after it was published.</summary>
    public double ResultHours { get; init; } = 24;

    /// <summary>The interval in seconds at which the janitor runs.</summary>
    [AboveZero]
    public double SweepSeconds { get; init; } = 60;
}
