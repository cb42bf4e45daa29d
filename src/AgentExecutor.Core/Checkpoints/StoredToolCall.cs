namespace AgentExecutor.Core.Checkpoints;

/// <summary>A tool call in the journal: stored before it is made, and again with its outcome.</summary>
public sealed record StoredToolCall
{
    /// <summary>The task that makes it, and so its idempotency key.</summary>
    public required string TaskId { get; init; }

    public string Namespace { get; init; } = "";

    public required string Tool { get; init; }

    /// <summary>The model's id of the call.</summary>
    public string CallId { get; init; } = "";

    public DateTimeOffset StartedAt { get; init; }

    /// <summary>Null while nobody knows how it ended.</summary>
    public StoredOutcome? Outcome { get; init; }
}

/// <summary>How a tool call ended.</summary>
/// <param name="Content">What the tool said.</param>
/// <param name="IsError">It failed, and said so.</param>
/// <param name="EndedAt">When.</param>
public sealed record StoredOutcome(string Content, bool IsError, DateTimeOffset EndedAt);
