namespace AgentExecutor.Core.Checkpoints;

/// <summary>The events of one commit.</summary>
/// <param name="Last">The sequence number of the last one.</param>
/// <param name="Json">UTF-8 JSON, a list of events as <see cref="Events.RunEventJson.WriteLogged"/> writes them.</param>
public sealed record StoredEvents(long Last, ReadOnlyMemory<byte> Json);

/// <summary>A run's outcome in the outbox, stored with the step that brought it about.</summary>
/// <param name="Sequence">The sequence number of the event that told of it: with the thread it names this outcome, however often it is announced.</param>
/// <param name="Json">UTF-8 JSON, as <see cref="Runs.RunResult"/> writes it.</param>
public sealed record StoredResult(long Sequence, ReadOnlyMemory<byte> Json);
