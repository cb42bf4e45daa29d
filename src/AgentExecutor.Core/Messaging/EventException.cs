namespace AgentExecutor.Core.Messaging;

/// <summary>Reports that a message cannot be read. <see cref="Faults"/> lists all the reasons.</summary>
/// <param name="code"><see cref="FaultCodes.InvalidEvent"/>, or <see cref="FaultCodes.UnsupportedMediaType"/>.</param>
public sealed class EventException(string code, IReadOnlyList<EventFault> faults)
    : FaultException(
        code,
        $"the {(code == FaultCodes.UnsupportedMediaType ? "request" : "event")} has {faults.Count} fault{(faults.Count == 1 ? "" : "s")}: "
            + $"{string.Join("; ", faults.Take(5))}{(faults.Count > 5 ? "; ..." : "")}",
        faults[0].Hint
    )
{
    public IReadOnlyList<EventFault> Faults { get; } = faults;
}

/// <summary>One fault of an event. Its texts contain no control characters, so they can be sent in headers.</summary>
/// <param name="Path">
/// Where the fault is: the name of an attribute or a JSON path such as <c>data.job_id</c>. In a batch it starts with the index of the
/// event, as in <c>[2].id</c>. Empty for the whole message.
/// </param>
/// <param name="Message">What is wrong, in one plain sentence.</param>
/// <param name="Hint">How to fix it.</param>
public sealed record EventFault(string Path, string Message, string Hint)
{
    public override string ToString() => Path.Length == 0 ? Message : $"{Path}: {Message}";
}
