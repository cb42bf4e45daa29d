namespace AgentExecutor.Core.Events;

/// <summary>An event with its position in the thread's log.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="Sequence">The sequence number. It only increases within a thread, even across workers and crashes.</param>
/// <param name="Time">The time of the event.</param>
/// <param name="Event">The event.</param>
public sealed record EventEnvelope(string ThreadId, long Sequence, DateTimeOffset Time, RunEvent Event)
{
    /// <summary>The fencing token of the attempt that published the event; 0 if an older version without this field wrote it.</summary>
    public long Attempt { get; init; }
}
