namespace AgentExecutor.Core.Events;

/// <summary>An event with its place in the thread's log.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="Sequence">Only grows within a thread, across workers and crashes.</param>
/// <param name="Time">When it happened.</param>
/// <param name="Event">What happened.</param>
public sealed record EventEnvelope(string ThreadId, long Sequence, DateTimeOffset Time, RunEvent Event);
