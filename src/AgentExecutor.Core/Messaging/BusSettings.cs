namespace AgentExecutor.Core.Messaging;

/// <summary>How the bus keeps and hands out messages.</summary>
public sealed record BusSettings
{
    /// <summary>Seconds after which a job that nobody acknowledged or reported on is delivered again.</summary>
    [AboveZero]
    public double AckWaitSeconds { get; init; } = 30;

    /// <summary>Hours that jobs stay in their stream; a run that was started goes on without its message.</summary>
    [AboveZero]
    public double JobHours { get; init; } = 24;

    /// <summary>Hours that results stay in their stream.</summary>
    [AboveZero]
    public double ResultHours { get; init; } = 24 * 7;

    /// <summary>Hours that dead letters stay in their stream.</summary>
    [AboveZero]
    public double DeadLetterHours { get; init; } = 24 * 30;

    /// <summary>Minutes for which the bus knows a message that is published twice.</summary>
    [AboveZero]
    public double DuplicateMinutes { get; init; } = 10;
}
