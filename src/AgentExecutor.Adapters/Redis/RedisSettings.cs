using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Redis;

/// <summary>The Redis-compatible server (Redis 5 or newer, Dragonfly) that live events go over. It is used where a URL or a host is named.</summary>
public sealed record RedisSettings
{
    /// <summary>The server as <c>redis://HOST:PORT/DATABASE</c>, or <c>rediss://</c> for TLS; <c>USER:PASSWORD@</c> or <c>:PASSWORD@</c> may stand before the host, percent-encoded. What it names wins over Host, Port and Database.</summary>
    public Secret Url { get; init; }

    /// <summary>The server's host, where no URL is given.</summary>
    public string Host { get; init; } = "";

    /// <summary>Its port.</summary>
    [AboveZero]
    public int Port { get; init; } = 6379;

    /// <summary>The user that connects; the server's default user where none is set. It wins over one in the URL.</summary>
    public string User { get; init; } = "";

    /// <summary>The password. It wins over one in the URL.</summary>
    public Secret Password { get; init; }

    /// <summary>The number of the database. Channels are shared by all databases of a server.</summary>
    public int Database { get; init; }

    /// <summary>Whether to speak TLS, as a <c>rediss://</c> URL says too.</summary>
    public bool Tls { get; init; }

    /// <summary>The file with the authorities that the server's certificate is checked against; the system's where it is not set.</summary>
    public string TlsCa { get; init; } = "";

    /// <summary>Seconds that making a connection may take.</summary>
    [AboveZero]
    public double ConnectTimeoutSeconds { get; init; } = 5;

    /// <summary>Seconds of silence after a request, after which the server is taken for dead; a call waits for a connection as long.</summary>
    [AboveZero]
    public double RequestTimeoutSeconds { get; init; } = 2;

    /// <summary>Seconds of silence after which a PING asks whether the server is still there.</summary>
    [AboveZero]
    public double PingSeconds { get; init; } = 5;

    /// <summary>True where a server is named.</summary>
    internal bool IsNamed => Url.IsSet || Host.Length > 0;
}
