namespace AgentExecutor.Adapters.Redis;

/// <summary>The kinds of failure that callers treat differently.</summary>
internal enum RedisFault
{
    /// <summary>The server could not be connected to, or not in time.</summary>
    Unreachable,

    /// <summary>The connection was lost. Commands that were in flight may or may not have been executed.</summary>
    Disconnected,

    /// <summary>The server did not reply in time.</summary>
    Timeout,

    /// <summary>The server replied with an error.</summary>
    ServerError,

    /// <summary>The server rejected the user or the password.</summary>
    AuthenticationFailed,

    /// <summary>The TLS handshake failed, or the server's certificate is not trusted.</summary>
    TlsFailed,

    /// <summary>A setting is not valid for this server.</summary>
    InvalidSettings,

    /// <summary>This process closed the connection.</summary>
    Closed,
}

/// <summary>A connection or a command failed. The message contains no secret.</summary>
internal sealed class RedisFaultException(RedisFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    public RedisFault Fault { get; } = fault;

    /// <summary>True if the same call can succeed later without a change of the configuration.</summary>
    public bool IsTransient => Fault is RedisFault.Unreachable or RedisFault.Disconnected or RedisFault.Timeout or RedisFault.ServerError;

    /// <summary>Returns a new exception with the same content, because several callers may throw it.</summary>
    public RedisFaultException Again() => new(Fault, Message, this);
}
