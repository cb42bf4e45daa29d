using System.Text.Json;
using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

[JsonConverter(typeof(JsonStringEnumConverter<StreamRetention>))]
internal enum StreamRetention
{
    [JsonStringEnumMemberName("limits")]
    Limits,

    [JsonStringEnumMemberName("interest")]
    Interest,

    [JsonStringEnumMemberName("workqueue")]
    WorkQueue,
}

[JsonConverter(typeof(JsonStringEnumConverter<StreamStorage>))]
internal enum StreamStorage
{
    [JsonStringEnumMemberName("file")]
    File,

    [JsonStringEnumMemberName("memory")]
    Memory,
}

[JsonConverter(typeof(JsonStringEnumConverter<StreamDiscard>))]
internal enum StreamDiscard
{
    [JsonStringEnumMemberName("old")]
    Old,

    [JsonStringEnumMemberName("new")]
    New,
}

/// <summary>What a stream holds and for how long. To change one, change what the server reported: then its other settings stay.</summary>
internal sealed record StreamConfig
{
    public required string Name { get; init; }

    public string? Description { get; init; }

    public IReadOnlyList<string>? Subjects { get; init; }

    public StreamRetention Retention { get; init; }

    public StreamStorage Storage { get; init; }

    public StreamDiscard Discard { get; init; }

    /// <summary>-1 is no limit, here and below.</summary>
    public int MaxConsumers { get; init; } = -1;

    public long MaxMsgs { get; init; } = -1;

    public long MaxBytes { get; init; } = -1;

    public long MaxMsgsPerSubject { get; init; } = -1;

    public int MaxMsgSize { get; init; } = -1;

    /// <summary>Zero is for ever.</summary>
    public TimeSpan MaxAge { get; init; }

    /// <summary>How long a <c>Nats-Msg-Id</c> is remembered; the server's two minutes where it is null.</summary>
    public TimeSpan? DuplicateWindow { get; init; }

    [JsonPropertyName("num_replicas")]
    public int Replicas { get; init; } = 1;

    /// <summary>What the server reported and this record has no name for; sent back as it was.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Other { get; set; }
}
