using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>The NATS server with JetStream. It is used if a URL is set.</summary>
public sealed record NatsSettings
{
    /// <summary>
    /// The URLs of one or more servers, separated by commas: `nats://HOST:PORT`, or `tls://HOST:PORT` to require TLS. `USER:PASSWORD@` or
    /// `TOKEN@` may precede the host. Further servers of the cluster are discovered.
    /// </summary>
    public Secret Url { get; init; }

    /// <summary>The user name, which takes precedence over the one in the URL.</summary>
    public string User { get; init; } = "";

    /// <summary>The password of the user.</summary>
    public Secret Password { get; init; }

    /// <summary>The token, if the server uses token authentication.</summary>
    public Secret Token { get; init; }

    /// <summary>
    /// The path of a `.creds` file with the JWT and the nkey seed of a user. The file is read at every connect, so it can be replaced while
    /// the program runs.
    /// </summary>
    public string Creds { get; init; } = "";

    /// <summary>The nkey seed (`SU...`), if the server uses nkey authentication.</summary>
    public Secret NkeySeed { get; init; }

    /// <summary>
    /// The file with the certificate authorities for the server's certificate. By default these are the authorities of the system.
    /// </summary>
    public string TlsCa { get; init; } = "";

    /// <summary>The timeout in seconds for connecting to one server.</summary>
    [AboveZero]
    public double ConnectTimeoutSeconds { get; init; } = 5;

    /// <summary>The interval in seconds between PINGs. A server that misses two of them is considered dead.</summary>
    [AboveZero]
    public double PingSeconds { get; init; } = 10;

    /// <summary>The timeout in seconds for a response of the server, and for a publish to wait for a connection.</summary>
    [AboveZero]
    public double RequestTimeoutSeconds { get; init; } = 5;

    /// <summary>The name of the stream of jobs.</summary>
    public string StreamName { get; init; } = "AGENT_EXECUTION";

    /// <summary>The name of the durable consumer that all workers share.</summary>
    public string ConsumerGroup { get; init; } = "agent-executor-workers";

    /// <summary>
    /// Whether missing streams are created and different ones updated. Otherwise differences are warnings, and a missing stream is an
    /// error.
    /// </summary>
    public bool ManageStreams { get; init; } = true;

    /// <summary>The number of replicas of each stream in a cluster.</summary>
    [AboveZero]
    public int Replicas { get; init; } = 1;

    /// <summary>True if a server is configured.</summary>
    internal bool IsNamed => Url.IsSet;
}
