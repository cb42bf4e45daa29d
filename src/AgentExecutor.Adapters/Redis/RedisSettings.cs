using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// The Redis-compatible server (Redis 5 or newer, Dragonfly) that carries live events. It is used if a URL or a host is set.
/// </summary>
public sealed record RedisSettings
{
    /// <summary>
    /// The server as `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` for TLS. User, password, port and database are optional;
    /// percent-encode special characters. The URL takes precedence over Host, Port and Database.
    /// </summary>
    public Secret Url { get; init; }

    /// <summary>The server's host, if no URL is set.</summary>
    public string Host { get; init; } = "";

    /// <summary>The server's port, if no URL is set.</summary>
    [AboveZero]
    public int Port { get; init; } = 6379;

    /// <summary>The user name; the server's default user if it is not set. It takes precedence over the one in the URL.</summary>
    public string User { get; init; } = "";

    /// <summary>The password. It takes precedence over the one in the URL.</summary>
    public Secret Password { get; init; }

    /// <summary>The number of the database. Channels are shared by all databases of a server.</summary>
    public int Database { get; init; }

    /// <summary>Whether to use TLS. A `rediss://` URL turns it on too.</summary>
    public bool Tls { get; init; }

    /// <summary>A file with the certificate authorities that the server's certificate must come from; else the system's.</summary>
    public string TlsCa { get; init; } = "";

    /// <summary>Seconds after which an attempt to connect is given up.</summary>
    [AboveZero]
    public double ConnectTimeoutSeconds { get; init; } = 5;

    /// <summary>
    /// Seconds of silence after a request after which the server is considered dead. A call also waits this long for a connection.
    /// </summary>
    [AboveZero]
    public double RequestTimeoutSeconds { get; init; } = 2;

    /// <summary>Seconds of silence after which a PING checks that the server is still there.</summary>
    [AboveZero]
    public double PingSeconds { get; init; } = 5;

    /// <summary>True if a server is configured.</summary>
    internal bool IsNamed => Url.IsSet || Host.Length > 0;
}
