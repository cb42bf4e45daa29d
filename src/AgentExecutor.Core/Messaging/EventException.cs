namespace AgentExecutor.Core.Messaging;

/// <summary>A message cannot be read; <see cref="Faults"/> are all the reasons.</summary>
/// <param name="code"><see cref="FaultCodes.InvalidEvent"/>, or <see cref="FaultCodes.UnsupportedMediaType"/>.</param>
public sealed class EventException(string code, IReadOnlyList<EventFault> faults) : FaultException(
    code,
    $"the event has {faults.Count} fault{(faults.Count == 1 ? "" : "s")}: {string.Join("; ", faults.Take(5))}{(faults.Count > 5 ? "; ..." : "")}",
    faults[0].Hint)
{
    public IReadOnlyList<EventFault> Faults { get; } = faults;
}

/// <summary>Something wrong with an event. Its texts hold no control characters, so that they can stand in headers.</summary>
/// <param name="Path">Where: an attribute's name, or a JSON path such as <c>data.job_id</c>; in a batch after the event's place, as in <c>[2].id</c>; empty for the whole message.</param>
/// <param name="Message">What, in one plain sentence.</param>
/// <param name="Hint">How to mend it.</param>
public sealed record EventFault(string Path, string Message, string Hint)
{
    public override string ToString() => Path.Length == 0 ? Message : $"{Path}: {Message}";
}
