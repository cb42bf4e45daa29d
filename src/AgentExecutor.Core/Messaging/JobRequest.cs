using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>A sender asks for a job. Its parts are slices of the message that it was read from.</summary>
public sealed record JobRequest
{
    public required string JobId { get; init; }

    public required string TraceId { get; init; }

    /// <summary>W3C trace context to go on from: the event's where that is valid, else derived from <see cref="TraceId"/> and <see cref="JobId"/>.</summary>
    public required string TraceParent { get; init; }

    /// <summary><c>agent_definition</c>: a JSON object as it was written.</summary>
    public required ReadOnlyMemory<byte> Definition { get; init; }

    /// <summary><c>input_payload</c>: a JSON object as it was written.</summary>
    public required ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>
    /// Lower-case hex SHA-256 of the definition and the input in canonical form: the same for a request that is sent again, however it is laid out and traced.
    /// </summary>
    public required string RequestHash { get; init; }

    /// <summary>The event's id; null for a request without an envelope.</summary>
    public string? EventId { get; init; }

    /// <summary>The envelope's extensions.</summary>
    public ImmutableSortedDictionary<string, AttributeValue> Extensions { get; init; } = CloudEvent.NoExtensions;
}
