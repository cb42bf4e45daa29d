using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>How `serve` listens for HTTP.</summary>
public sealed record HttpSettings
{
    /// <summary>
    /// The address to listen on. By default it is all addresses, or only the loopback address if no server is configured and everything is
    /// embedded.
    /// </summary>
    public string Host { get; init; } = "";

    /// <summary>The maximum size of a request body in bytes.</summary>
    [AboveZero]
    public long MaxBodyBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// The host names, separated by commas, that requests may use in their Host header. `*.example.com` allows every name below it, and `*`
    /// all names. IP addresses and `localhost` are always allowed.
    /// </summary>
    public string AllowedHosts { get; init; } = "";

    /// <summary>
    /// The URL at which clients reach the service, such as `https://agents.example.com`. Web pages of this origin are treated as pages of
    /// the service. If there is also a `SIGNING_KEY`, the events of questions contain links with this URL under which they are answered.
    /// </summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>
    /// The origins of web pages, separated by commas, that may use the service, such as `https://app.example.com`; or `*` for all. Pages of
    /// the service's own host are always allowed.
    /// </summary>
    public string AllowedOrigins { get; init; } = "";

    /// <summary>
    /// The maximum number of requests that read from the store at once: states, histories, results of finished jobs, and new watchers.
    /// PostgreSQL has 8 connections for them.
    /// </summary>
    [AboveZero]
    public int MaxReads { get; init; } = 8;

    /// <summary>
    /// The maximum number of requests that wait to read from the store. Further requests are answered with 503 and `Retry-After`.
    /// </summary>
    public int MaxWaitingReads { get; init; } = 1_000;

    /// <summary>How many hours the link to a question without a deadline is valid.</summary>
    [AboveZero]
    public double LinkHours { get; init; } = 24 * 7;

    /// <summary>The value in seconds of `Retry-After` when a required server is unavailable.</summary>
    [AboveZero]
    public int RetryAfterSeconds { get; init; } = 5;
}
