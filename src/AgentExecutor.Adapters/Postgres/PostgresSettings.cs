using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The PostgreSQL server. It is used if a host or a URL is set.</summary>
public sealed record PostgresSettings
{
    /// <summary>The host name. If there are several, separated by commas, the one that accepts writes is used.</summary>
    public string Host { get; init; } = "";

    /// <summary>The port.</summary>
    [AboveZero]
    public int Port { get; init; } = 5432;

    /// <summary>The name of the database.</summary>
    public string Db { get; init; } = "postgres";

    /// <summary>The role that connects.</summary>
    public string User { get; init; } = "postgres";

    /// <summary>The password of the role.</summary>
    public Secret Password { get; init; }

    /// <summary>
    /// All of the settings above in one: `postgres://USER:PASSWORD@HOST:PORT/DB?sslmode=require`. It takes precedence over them.
    /// </summary>
    public Secret Url { get; init; }

    /// <summary>The schema of the tables.</summary>
    public string Schema { get; init; } = "agent_executor";

    /// <summary>The SSL mode: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`.</summary>
    public string SslMode { get; init; } = "prefer";

    /// <summary>
    /// The file with the certificate authorities that `verify-ca` and `verify-full` trust. By default these are the authorities of the
    /// system.
    /// </summary>
    public string SslRootCert { get; init; } = "";

    /// <summary>
    /// The maximum number of connections that execute threads and commit their steps. Leases, submissions, publishing of results, watchers,
    /// readers and budgets share 29 more, and the bus has 4 if no NATS server is configured.
    /// </summary>
    [AboveZero]
    public int MaxPoolSize { get; init; } = 12;

    /// <summary>The number of connections that commit steps. Each of them commits all waiting steps in one transaction.</summary>
    [AboveZero]
    public int Committers { get; init; } = 2;

    /// <summary>The timeout in seconds for opening a connection.</summary>
    [AboveZero]
    public double ConnectTimeoutSeconds { get; init; } = 5;

    /// <summary>The timeout in seconds after which the server cancels a statement, which is then retried.</summary>
    [AboveZero]
    public double StatementTimeoutSeconds { get; init; } = 30;

    /// <summary>The timeout in seconds for waiting for a lock, after which the statement is retried.</summary>
    [AboveZero]
    public double LockTimeoutSeconds { get; init; } = 2;

    /// <summary>
    /// The time in seconds that a step waits for an unavailable server. After that the worker gives up the run, which another worker
    /// continues later.
    /// </summary>
    public double PatienceSeconds { get; init; } = 300;

    /// <summary>True if a server is configured.</summary>
    internal bool IsNamed => Host.Length > 0 || Url.IsSet;
}
