using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>How `serve` listens for HTTP.</summary>
public sealed record HttpSettings
{
    /// <summary>The address to listen on. Where it is not set: all of them, or, where no server is named and everything is embedded, this machine alone.</summary>
    public string Host { get; init; } = "";

    /// <summary>Bytes that a request's body may have.</summary>
    [AboveZero]
    public long MaxBodyBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Seconds that a caller is told to wait where something that is needed is away.</summary>
    [AboveZero]
    public int RetryAfterSeconds { get; init; } = 5;
}
