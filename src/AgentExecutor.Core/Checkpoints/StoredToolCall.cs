namespace AgentExecutor.Core.Checkpoints;

/// <summary>A tool call in the journal. It is stored before the call is made, and again with its outcome.</summary>
public sealed record StoredToolCall
{
    /// <summary>The task that makes the call. It is also the idempotency key of the call.</summary>
    public required string TaskId { get; init; }

    public string Namespace { get; init; } = "";

    public required string Tool { get; init; }

    /// <summary>The id that the model gave the call.</summary>
    public string CallId { get; init; } = "";

    public DateTimeOffset StartedAt { get; init; }

    /// <summary>Null while the outcome is unknown.</summary>
    public StoredOutcome? Outcome { get; init; }
}

/// <summary>The outcome of a tool call.</summary>
/// <param name="Content">The text that the tool returned.</param>
/// <param name="IsError">True if the tool reported an error.</param>
/// <param name="EndedAt">When the call ended.</param>
public sealed record StoredOutcome(string Content, bool IsError, DateTimeOffset EndedAt)
{
    /// <summary>
    /// The changes of the state that belong to the outcome, as a JSON array of pairs of channel and update; null if there are none.
    /// </summary>
    public string? Updates { get; init; }
}
