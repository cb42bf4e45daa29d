namespace AgentExecutor.Core.Runs;

/// <summary>One execution of an agent on a thread. It is immutable: the types in <c>Transitions</c> create its next states.</summary>
public sealed record Run
{
    public required string ThreadId { get; init; }

    public required string RunId { get; init; }

    public string TraceId { get; init; } = "";

    public required string DefinitionHash { get; init; }

    /// <summary>The name of the definition, for lists.</summary>
    public string Name { get; init; } = "";

    public RunStatus Status { get; init; } = RunStatus.Pending;

    /// <summary>The fencing token, which grows with each attempt on the thread. Only the holder of the newest token may commit.</summary>
    public long Fence { get; init; }

    /// <summary>How often a worker has started the run.</summary>
    public int Attempt { get; init; }

    /// <summary>The last event sequence number that this thread is known to have used.</summary>
    public long LastSequence { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; init; }

    public RunUsage Usage { get; init; } = new();

    public RunFailure? Failure { get; init; }

    public bool IsFinished => Status is RunStatus.Completed or RunStatus.Failed or RunStatus.Cancelled;
}
