namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Reads CloudEvents 1.0 from HTTP and NATS messages, strictly. If a message is invalid, one <see cref="EventException"/> reports all its
/// faults. The events refer to slices of the message.
/// </summary>
public static class CloudEventReader
{
    /// <summary>Reads structured mode, in which the whole event is a JSON object (<c>application/cloudevents+json</c>).</summary>
    /// <exception cref="EventException">The message is not a valid event.</exception>
    public static CloudEvent ReadStructured(ReadOnlyMemory<byte> json)
    {
        var faults = new EventFaults();
        var read = StructuredReader.Read(json, faults);
        faults.ThrowIfAny();
        return read!;
    }

    /// <summary>
    /// Reads batch mode, a JSON array of events (<c>application/cloudevents-batch+json</c>). The faults of one event do not affect the
    /// others.
    /// </summary>
    /// <exception cref="EventException">The message is not a JSON array.</exception>
    public static IReadOnlyList<BatchEntry<CloudEvent>> ReadBatch(ReadOnlyMemory<byte> json) => StructuredReader.ReadBatch(json, ReadEntry);

    /// <summary>
    /// Reads binary mode, in which attributes are headers with the prefix <c>ce-</c> in any case, and the body is the data. The data's
    /// content type is that of the message (HTTP) or the header <c>ce-datacontenttype</c> (NATS).
    /// </summary>
    /// <param name="headers">The headers. Those that do not belong to the event are ignored.</param>
    /// <exception cref="EventException">The message is not a valid event.</exception>
    public static CloudEvent ReadBinary(IEnumerable<KeyValuePair<string, string>> headers, ReadOnlyMemory<byte> body)
    {
        var faults = new EventFaults();
        var read = BinaryReader.Read(null, headers, body, faults);
        faults.ThrowIfAny();
        return read;
    }

    /// <summary>
    /// Reads a message of a bus: binary mode if there is a header <c>ce-specversion</c> and the content type is not that of structured
    /// mode, otherwise structured mode.
    /// </summary>
    /// <exception cref="EventException">The message is not a valid event.</exception>
    public static CloudEvent ReadMessage(IReadOnlyList<KeyValuePair<string, string>> headers, ReadOnlyMemory<byte> body)
    {
        var isStructured = headers.Any(static it =>
            it.Key.Equals(BinaryReader.ContentType, StringComparison.OrdinalIgnoreCase)
            && it.Value.StartsWith("application/cloudevents", StringComparison.OrdinalIgnoreCase)
        );
        var isBinary = headers.Any(static it => it.Key.Equals("ce-specversion", StringComparison.OrdinalIgnoreCase));
        return isBinary && !isStructured ? ReadBinary(headers, body) : ReadStructured(body);
    }

    private static CloudEvent? ReadEntry(ReadOnlyMemory<byte> json, EventFaults faults) => StructuredReader.Read(json, faults);
}
