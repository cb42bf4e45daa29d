namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>What went wrong, as far as a caller acts on it.</summary>
internal enum RedisFault
{
    /// <summary>The server took no connection, or none in time.</summary>
    Unreachable,

    /// <summary>The connection was lost; what was under way may or may not have reached the server.</summary>
    Disconnected,

    /// <summary>No answer in time.</summary>
    Timeout,

    /// <summary>The server answered with an error.</summary>
    ServerError,

    /// <summary>The server sent what is no RESP.</summary>
    Protocol,

    /// <summary>The server will not have our credentials.</summary>
    AuthenticationFailed,

    /// <summary>The server's certificate or its TLS is not acceptable.</summary>
    TlsFailed,

    /// <summary>A setting does not fit.</summary>
    InvalidSettings,

    /// <summary>The connection was closed on our side.</summary>
    Closed,
}

/// <summary>A fault of the connection or of what was asked over it. Its text holds no secret.</summary>
internal sealed class RedisException(RedisFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    public RedisFault Fault { get; } = fault;

    /// <summary>True where the same call may succeed later with nothing mended.</summary>
    public bool IsTransient => Fault is RedisFault.Unreachable or RedisFault.Disconnected or RedisFault.Timeout or RedisFault.ServerError or RedisFault.Protocol;

    /// <summary>The same for another caller: an exception is thrown once.</summary>
    public RedisException Again() => new(Fault, Message, this);
}
