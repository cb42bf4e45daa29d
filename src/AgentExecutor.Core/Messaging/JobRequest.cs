using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>A request for a job. Its parts are slices of the message that it was read from.</summary>
public sealed record JobRequest
{
    public required string JobId { get; init; }

    public required string TraceId { get; init; }

    /// <summary>
    /// The W3C trace context to continue: that of the event if it is valid, or else one derived from <see cref="TraceId"/> and <see
    /// cref="JobId"/>.
    /// </summary>
    public required string TraceParent { get; init; }

    /// <summary><c>agent_definition</c>, a JSON object as it was sent.</summary>
    public required ReadOnlyMemory<byte> Definition { get; init; }

    /// <summary><c>input_payload</c>, a JSON object as it was sent.</summary>
    public required ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>
    /// The lower-case hexadecimal SHA-256 of the definition and the input in canonical form. It is the same for a request that is sent
    /// again, whatever its layout and trace.
    /// </summary>
    public required string RequestHash { get; init; }

    /// <summary>The id of the event, or null for a request without an envelope.</summary>
    public string? EventId { get; init; }

    /// <summary>The extensions of the envelope.</summary>
    public ImmutableSortedDictionary<string, AttributeValue> Extensions { get; init; } = CloudEvent.NoExtensions;
}
