using System.Text.Json;
using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

[JsonConverter(typeof(JsonStringEnumConverter<DeliverPolicy>))]
internal enum DeliverPolicy
{
    [JsonStringEnumMemberName("all")]
    All,

    [JsonStringEnumMemberName("last")]
    Last,

    [JsonStringEnumMemberName("new")]
    New,

    [JsonStringEnumMemberName("by_start_sequence")]
    ByStartSequence,

    [JsonStringEnumMemberName("by_start_time")]
    ByStartTime,

    [JsonStringEnumMemberName("last_per_subject")]
    LastPerSubject,
}

[JsonConverter(typeof(JsonStringEnumConverter<AckPolicy>))]
internal enum AckPolicy
{
    [JsonStringEnumMemberName("explicit")]
    Explicit,

    [JsonStringEnumMemberName("all")]
    All,

    [JsonStringEnumMemberName("none")]
    None,
}

/// <summary>A pull consumer. One with a <see cref="DurableName"/> stays; another is gone when nobody has pulled from it for <see cref="InactiveThreshold"/>.</summary>
internal sealed record ConsumerConfig
{
    public string? DurableName { get; init; }

    public string? Description { get; init; }

    public DeliverPolicy DeliverPolicy { get; init; }

    [JsonPropertyName("opt_start_seq")]
    public ulong? StartSequence { get; init; }

    [JsonPropertyName("opt_start_time")]
    public DateTimeOffset? StartTime { get; init; }

    public AckPolicy AckPolicy { get; init; }

    public TimeSpan? AckWait { get; init; }

    /// <summary>-1 is no limit.</summary>
    public int MaxDeliver { get; init; } = -1;

    public IReadOnlyList<TimeSpan>? Backoff { get; init; }

    public string? FilterSubject { get; init; }

    /// <summary>Messages that may be delivered and not yet acknowledged, of all who pull together.</summary>
    public int? MaxAckPending { get; init; }

    /// <summary>Pull requests that may wait.</summary>
    public int? MaxWaiting { get; init; }

    public bool? HeadersOnly { get; init; }

    public TimeSpan? InactiveThreshold { get; init; }

    [JsonPropertyName("num_replicas")]
    public int? Replicas { get; init; }

    [JsonPropertyName("mem_storage")]
    public bool? MemoryStorage { get; init; }

    /// <summary>What the server reported and this record has no name for; sent back as it was.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Other { get; set; }
}
