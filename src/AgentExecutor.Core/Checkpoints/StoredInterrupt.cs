using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>A question to a person, or a call of a tool that is executed elsewhere, with its answer.</summary>
public sealed record StoredInterrupt
{
    public required string ThreadId { get; init; }

    /// <summary>The run that waits.</summary>
    public required string RunId { get; init; }

    /// <summary>The id of the interrupt, unique in the thread.</summary>
    public required string Id { get; init; }

    /// <summary>The question, UTF-8 JSON as <see cref="InterruptRequest.Encode()"/> writes it.</summary>
    public required ReadOnlyMemory<byte> Json { get; init; }

    /// <summary>
    /// When the service must do something: announce the question again, use the default answer, or pass an answer to the run. Null if
    /// there is nothing to do.
    /// </summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>How often the question was announced again.</summary>
    public int Escalation { get; init; }

    /// <summary>The answer, UTF-8 JSON; null if there is none yet.</summary>
    public ReadOnlyMemory<byte>? Answer { get; init; }

    /// <summary>True if the answer was passed to the task that waits for it.</summary>
    public bool IsApplied { get; init; }

    public InterruptRequest Request => InterruptRequest.DecodeOne(Json);

    public static StoredInterrupt Of(string threadId, string runId, InterruptRequest request) =>
        new()
        {
            ThreadId = threadId,
            RunId = runId,
            Id = request.Id,
            Json = request.Encode(),
            DueAt = request.DueAfter(0),
        };
}

/// <summary>An answer that a commit passes to the task that waits for it.</summary>
/// <param name="InterruptId">The id of the interrupt.</param>
/// <param name="Json">The answer, UTF-8 JSON.</param>
public sealed record StoredAnswer(string InterruptId, ReadOnlyMemory<byte> Json);

/// <summary>A message that a commit stores and the relay publishes.</summary>
/// <param name="Id">Identifies the message, however often it is published.</param>
/// <param name="Type">The type of the CloudEvent.</param>
/// <param name="Subject">The subject to publish to.</param>
/// <param name="Json">The data of the event, UTF-8 JSON.</param>
public sealed record StoredNotice(string Id, string Type, string Subject, ReadOnlyMemory<byte> Json)
{
    /// <summary>The run that the message belongs to.</summary>
    public required string RunId { get; init; }
}
