namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Reads CloudEvents 1.0 from messages of HTTP and of NATS, strictly. Whatever the bytes are, what is wrong with them comes as one
/// <see cref="EventException"/> with every fault. What is read keeps slices of the message.
/// </summary>
public static class CloudEventReader
{
    /// <summary>Structured mode: the whole event is a JSON object, <c>application/cloudevents+json</c>.</summary>
    /// <exception cref="EventException">It is no event.</exception>
    public static CloudEvent ReadStructured(ReadOnlyMemory<byte> json)
    {
        var faults = new EventFaults();
        var read = StructuredReader.Read(json, faults);
        faults.ThrowIfAny();
        return read!;
    }

    /// <summary>Batch mode: a JSON array of events, <c>application/cloudevents-batch+json</c>. An event that has faults does not touch the others.</summary>
    /// <exception cref="EventException">It is no JSON array.</exception>
    public static IReadOnlyList<BatchEntry<CloudEvent>> ReadBatch(ReadOnlyMemory<byte> json) => StructuredReader.ReadBatch(json, ReadEntry);

    /// <summary>
    /// Binary mode: attributes are headers that begin with <c>ce-</c>, in any case, and the body is the data. The data's content type is the message's
    /// own (HTTP) or the header <c>ce-datacontenttype</c> (NATS).
    /// </summary>
    /// <param name="headers">Others than those of the event are passed over.</param>
    /// <exception cref="EventException">It is no event.</exception>
    public static CloudEvent ReadBinary(IEnumerable<KeyValuePair<string, string>> headers, ReadOnlyMemory<byte> body)
    {
        var faults = new EventFaults();
        var read = BinaryReader.Read(null, headers, body, faults);
        faults.ThrowIfAny();
        return read;
    }

    private static CloudEvent? ReadEntry(ReadOnlyMemory<byte> json, EventFaults faults) => StructuredReader.Read(json, faults);
}
