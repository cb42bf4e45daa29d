using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>The NATS server with JetStream. It is used where a URL is named.</summary>
public sealed record NatsSettings
{
    /// <summary>Servers to begin with, several with commas: <c>nats://HOST:PORT</c>, or <c>tls://</c> where nothing may pass in the clear; <c>USER:PASSWORD@</c> or <c>TOKEN@</c> may stand before the host. Further servers of the cluster are learnt from these.</summary>
    public Secret Url { get; init; }

    /// <summary>The user that connects. It wins over one in the URL.</summary>
    public string User { get; init; } = "";

    /// <summary>Its password.</summary>
    public Secret Password { get; init; }

    /// <summary>A token, where the server asks for one instead of a user.</summary>
    public Secret Token { get; init; }

    /// <summary>The path of a <c>.creds</c> file (a user's JWT and its nkey seed). It is read at each connect, so it can be replaced while we run.</summary>
    public string Creds { get; init; } = "";

    /// <summary>An nkey seed (<c>SU...</c>), where the server knows users by their nkeys.</summary>
    public Secret NkeySeed { get; init; }

    /// <summary>The file with the authorities that the server's certificate is checked against; the system's where it is not set.</summary>
    public string TlsCa { get; init; } = "";

    /// <summary>Seconds that making a connection to one server may take.</summary>
    [AboveZero]
    public double ConnectTimeoutSeconds { get; init; } = 5;

    /// <summary>Seconds between two PINGs; a server that misses two is taken for dead.</summary>
    [AboveZero]
    public double PingSeconds { get; init; } = 10;

    /// <summary>Seconds that an answer of the server may take, and that a publish waits for a connection.</summary>
    [AboveZero]
    public double RequestTimeoutSeconds { get; init; } = 5;

    /// <summary>The stream that requests come from.</summary>
    public string StreamName { get; init; } = "AGENT_EXECUTION";

    /// <summary>The durable consumer that all workers share.</summary>
    public string ConsumerGroup { get; init; } = "agent-executor-workers";

    /// <summary>Whether missing streams are created and differing ones brought up to date; otherwise a fault at the start says what is wrong.</summary>
    public bool ManageStreams { get; init; } = true;

    /// <summary>Copies of each stream in a cluster.</summary>
    [AboveZero]
    public int Replicas { get; init; } = 1;

    /// <summary>Seconds after which a request that its worker says nothing of is given to another.</summary>
    [AboveZero]
    public double AckWaitSeconds { get; init; } = 30;

    /// <summary>Deliveries of a request at most, before it is a dead letter.</summary>
    [AboveZero]
    public int MaxDeliver { get; init; } = 20;

    /// <summary>True where a server is named.</summary>
    internal bool IsNamed => Url.IsSet;
}
