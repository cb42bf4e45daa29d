namespace AgentExecutor.Core.Workers;

/// <summary>What is kept, and for how long. Nothing of a thread is deleted unless a limit is set here; threads that have not ended stay in any case.</summary>
public sealed record RetentionSettings
{
    /// <summary>Days that an ended thread is kept; 0 for ever.</summary>
    public double FinishedDays { get; init; }

    /// <summary>Ended threads that are kept, the last ended first; 0 for all.</summary>
    public int FinishedThreads { get; init; }

    /// <summary>Checkpoints that an ended thread keeps, the newest; 0 for all. What rebuilds their values stays too.</summary>
    public int Checkpoints { get; init; }

    /// <summary>Hours that an outcome stays in the outbox once it was announced.</summary>
    public double ResultHours { get; init; } = 24;

    /// <summary>Seconds between two rounds of the janitor.</summary>
    [AboveZero]
    public double SweepSeconds { get; init; } = 60;
}
