using System.Text.Json;
using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>What a server tells of itself: first, and again whenever it changes.</summary>
internal sealed record ServerInfo
{
    [JsonPropertyName("server_id")]
    public string Id { get; init; } = "";

    [JsonPropertyName("server_name")]
    public string Name { get; init; } = "";

    public string Version { get; init; } = "";

    public string? Cluster { get; init; }

    public int MaxPayload { get; init; } = 1024 * 1024;

    public bool Headers { get; init; }

    [JsonPropertyName("jetstream")]
    public bool JetStream { get; init; }

    public bool AuthRequired { get; init; }

    public bool TlsRequired { get; init; }

    public bool TlsAvailable { get; init; }

    public string? Nonce { get; init; }

    public IReadOnlyList<string>? ConnectUrls { get; init; }

    /// <summary>It is about to stop, and asks its clients to move.</summary>
    [JsonPropertyName("ldm")]
    public bool IsLameDuck { get; init; }

    public static ServerInfo Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, WireJson.Default.ServerInfo) ?? throw new JsonException("null");
        }
        catch (JsonException exception)
        {
            throw new NatsException(NatsFault.Protocol, "the NATS server sent an INFO that cannot be read", exception);
        }
    }

    /// <summary>A version's suffix (<c>-beta.1</c>) is left out of account.</summary>
    public bool IsAtLeast(int major, int minor, int patch) =>
        System.Version.TryParse(Version.Split('-')[0], out var version) && version >= new Version(major, minor, patch);
}

/// <summary>The JSON of the protocol itself.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ServerInfo))]
[JsonSerializable(typeof(ConnectRequest))]
internal sealed partial class WireJson : JsonSerializerContext;
