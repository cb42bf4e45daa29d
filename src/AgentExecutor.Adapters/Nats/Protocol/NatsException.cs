namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>What went wrong, as far as a caller acts on it.</summary>
internal enum NatsFault
{
    /// <summary>No server took a connection.</summary>
    Unreachable,

    /// <summary>The connection was lost; what was under way may or may not have reached the server.</summary>
    Disconnected,

    /// <summary>No answer in time; the request may or may not have been acted on.</summary>
    Timeout,

    /// <summary>Nobody listens on the subject of a request: the stream or consumer is missing, or has no leader now.</summary>
    NoResponders,

    /// <summary>The server answered with an error that ends the connection.</summary>
    ServerError,

    /// <summary>The server sent what is no NATS.</summary>
    Protocol,

    /// <summary>The server will not have our credentials.</summary>
    AuthenticationFailed,

    /// <summary>The server's certificate or its TLS is not acceptable.</summary>
    TlsFailed,

    /// <summary>Our user may not publish or subscribe to a subject.</summary>
    PermissionDenied,

    /// <summary>The message is larger than the server takes.</summary>
    PayloadTooLarge,

    /// <summary>A subject, header or number that cannot be sent.</summary>
    InvalidArgument,

    /// <summary>A setting does not fit.</summary>
    InvalidSettings,

    /// <summary>The consumer was deleted, or is of a kind that cannot be pulled from: it must be made anew.</summary>
    ConsumerGone,

    /// <summary>JetStream answered with an error of its own: a <see cref="JetStreamException"/>.</summary>
    JetStream,

    /// <summary>The connection or subscription was closed on our side.</summary>
    Closed,
}

/// <summary>A fault of the connection or of what was asked over it. Its text holds no secret.</summary>
internal class NatsException(NatsFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    public NatsFault Fault { get; } = fault;

    /// <summary>True where the same call may succeed later.</summary>
    public virtual bool IsTransient => Fault is NatsFault.Unreachable or NatsFault.Disconnected or NatsFault.Timeout or NatsFault.NoResponders or NatsFault.ServerError or NatsFault.Protocol;
}
