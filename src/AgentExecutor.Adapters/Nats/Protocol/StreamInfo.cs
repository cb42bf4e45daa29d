using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>A stream as the server has it.</summary>
internal sealed record StreamInfo(StreamConfig Config, StreamState State, DateTimeOffset Created, ClusterInfo? Cluster);

/// <summary>What it holds now.</summary>
internal sealed record StreamState
{
    public long Messages { get; init; }

    public long Bytes { get; init; }

    [JsonPropertyName("first_seq")]
    public ulong FirstSequence { get; init; }

    [JsonPropertyName("last_seq")]
    public ulong LastSequence { get; init; }

    [JsonPropertyName("first_ts")]
    public DateTimeOffset FirstTimestamp { get; init; }

    [JsonPropertyName("last_ts")]
    public DateTimeOffset LastTimestamp { get; init; }

    public int ConsumerCount { get; init; }
}

/// <summary>Where the copies are.</summary>
internal sealed record ClusterInfo(string? Name, string? Leader, IReadOnlyList<ClusterPeer>? Replicas);

internal sealed record ClusterPeer(string Name, bool Current);
