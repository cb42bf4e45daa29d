using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>The body of CONNECT.</summary>
internal sealed class ConnectRequest
{
    public bool Verbose { get; init; }

    public bool Pedantic { get; init; }

    public bool Echo { get; init; } = true;

    public bool Headers { get; init; } = true;

    public bool NoResponders { get; init; } = true;

    /// <summary>1: we take an INFO at any time.</summary>
    public int Protocol { get; init; } = 1;

    public string Lang { get; init; } = "csharp";

    public string Version { get; init; } = "1.0.0";

    public string Name { get; init; } = "agent-executor";

    public bool TlsRequired { get; init; }

    public string? User { get; set; }

    [JsonPropertyName("pass")]
    public string? Password { get; set; }

    [JsonPropertyName("auth_token")]
    public string? Token { get; set; }

    public string? Jwt { get; set; }

    /// <summary>The public key.</summary>
    public string? Nkey { get; set; }

    [JsonPropertyName("sig")]
    public string? Signature { get; set; }
}
