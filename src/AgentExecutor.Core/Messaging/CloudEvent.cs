using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>How the data of an event is written in the JSON format.</summary>
public enum EventDataKind
{
    None,

    /// <summary>UTF-8 JSON, written to <c>data</c> as it is.</summary>
    Json,

    /// <summary>UTF-8 text of another content type, written to <c>data</c> as a string.</summary>
    Text,

    /// <summary>Any bytes, written to <c>data_base64</c>.</summary>
    Binary,
}

/// <summary>
/// An event as defined by CloudEvents 1.0 (https://github.com/cloudevents/spec). An event that was read refers to slices of its message, so
/// the message must be copied before its buffer is reused.
/// </summary>
public sealed record CloudEvent
{
    public const string SpecVersion = "1.0";

    private const string TraceParentName = "traceparent";
    private const string TraceStateName = "tracestate";

    public static ImmutableSortedDictionary<string, AttributeValue> NoExtensions { get; } =
        ImmutableSortedDictionary.Create<string, AttributeValue>(StringComparer.Ordinal);

    public required string Id { get; init; }

    /// <summary>A URI reference. Together with <see cref="Id"/> it identifies the event.</summary>
    public required string Source { get; init; }

    public required string Type { get; init; }

    public string? Subject { get; init; }

    public DateTimeOffset? Time { get; init; }

    public string? DataContentType { get; init; }

    public string? DataSchema { get; init; }

    public ImmutableSortedDictionary<string, AttributeValue> Extensions { get; init; } = NoExtensions;

    public EventDataKind DataKind { get; init; }

    public ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>The extension <c>traceparent</c> as it was sent, whether valid or not. See <see cref="Messaging.TraceParent"/>.</summary>
    public string? TraceParent => TextOf(TraceParentName);

    public string? TraceState => TextOf(TraceStateName);

    private string? TextOf(string extension) => Extensions.TryGetValue(extension, out var value) ? value.Text : null;
}
