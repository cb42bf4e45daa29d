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

    /// <summary>Web pages of other hosts that may watch live events, as origins with commas (`https://app.example.com`), or `*` for all. Pages of the service's own host always may.</summary>
    public string AllowedOrigins { get; init; } = "";

    /// <summary>Seconds that a caller is told to wait where something that is needed is away.</summary>
    [AboveZero]
    public int RetryAfterSeconds { get; init; } = 5;
}
