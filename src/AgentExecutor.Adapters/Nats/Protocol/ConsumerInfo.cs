using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>A consumer as the server has it.</summary>
internal sealed record ConsumerInfo
{
    [JsonPropertyName("stream_name")]
    public required string Stream { get; init; }

    public required string Name { get; init; }

    public required ConsumerConfig Config { get; init; }

    /// <summary>Delivered, not acknowledged.</summary>
    [JsonPropertyName("num_ack_pending")]
    public int AckPending { get; init; }

    [JsonPropertyName("num_redelivered")]
    public int Redelivered { get; init; }

    /// <summary>Pull requests that wait.</summary>
    [JsonPropertyName("num_waiting")]
    public int Waiting { get; init; }

    /// <summary>Not delivered yet.</summary>
    [JsonPropertyName("num_pending")]
    public long Pending { get; init; }

    public SequencePair? Delivered { get; init; }

    public SequencePair? AckFloor { get; init; }

    public ClusterInfo? Cluster { get; init; }
}

internal sealed record SequencePair([property: JsonPropertyName("consumer_seq")] ulong Consumer, [property: JsonPropertyName("stream_seq")] ulong Stream);
