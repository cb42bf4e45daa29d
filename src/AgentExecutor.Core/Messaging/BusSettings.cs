namespace AgentExecutor.Core.Messaging;

/// <summary>How the bus keeps and delivers messages.</summary>
public sealed record BusSettings
{
    /// <summary>The time in seconds after which a job is redelivered if no worker has acknowledged it or reported progress.</summary>
    [AboveZero]
    public double AckWaitSeconds { get; init; } = 30;

    /// <summary>The time in hours that jobs stay in their stream. A run that has started does not need its message any more.</summary>
    [AboveZero]
    public double JobHours { get; init; } = 24;

    /// <summary>The time in hours that results stay in their stream.</summary>
    [AboveZero]
    public double ResultHours { get; init; } = 24 * 7;

    /// <summary>The time in hours that dead letters stay in their stream.</summary>
    [AboveZero]
    public double DeadLetterHours { get; init; } = 24 * 30;

    /// <summary>The time in hours that calls of external tools, their results, and answers to questions stay in their streams.</summary>
    [AboveZero]
    public double ToolHours { get; init; } = 24 * 7;

    /// <summary>The time in minutes during which the bus recognises a message that is published twice.</summary>
    [AboveZero]
    public double DuplicateMinutes { get; init; } = 10;
}
