namespace AgentExecutor.Core.Checkpoints;

/// <summary>The events of one commit.</summary>
/// <param name="Last">The sequence number of the last one.</param>
/// <param name="Json">UTF-8 JSON, a list of events in the form of the log.</param>
public sealed record StoredEvents(long Last, ReadOnlyMemory<byte> Json);

/// <summary>The outcome of a run in the outbox, stored with the step that produced it.</summary>
/// <param name="Sequence">
/// The sequence number of the event that reported the outcome. It identifies the outcome within its thread, however often it is published.
/// </param>
/// <param name="Json">UTF-8 JSON, the data of the event that publishes it.</param>
public sealed record StoredResult(long Sequence, ReadOnlyMemory<byte> Json);
