using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The PostgreSQL server. It is used where a host or a URL is named.</summary>
public sealed record PostgresSettings
{
    /// <summary>Host names, several with commas: then the one that takes writes is used.</summary>
    public string Host { get; init; } = "";

    /// <summary>The port.</summary>
    [AboveZero]
    public int Port { get; init; } = 5432;

    /// <summary>The database.</summary>
    public string Db { get; init; } = "postgres";

    /// <summary>The role that connects.</summary>
    public string User { get; init; } = "postgres";

    /// <summary>Its password.</summary>
    public Secret Password { get; init; }

    /// <summary>All of the above at once: <c>postgres://USER:PASSWORD@HOST:PORT/DB?sslmode=require</c>. It wins over the single settings.</summary>
    public Secret Url { get; init; }

    /// <summary>The schema that holds the tables.</summary>
    public string Schema { get; init; } = "agent_executor";

    /// <summary><c>disable</c>, <c>prefer</c>, <c>require</c>, <c>verify-ca</c> or <c>verify-full</c>.</summary>
    public string SslMode { get; init; } = "prefer";

    /// <summary>The file with the authorities that <c>verify-ca</c> and <c>verify-full</c> trust; the system's where it is not set.</summary>
    public string SslRootCert { get; init; } = "";

    /// <summary>Connections at most, to read threads and to commit steps; the queue, its callers, the relay of results, those who watch and the bus have 24 more between them.</summary>
    [AboveZero]
    public int MaxPoolSize { get; init; } = 20;

    /// <summary>Connections that commit steps: each takes all steps that wait, in one transaction.</summary>
    [AboveZero]
    public int Committers { get; init; } = 2;

    /// <summary>Seconds that making a connection may take.</summary>
    [AboveZero]
    public double ConnectTimeoutSeconds { get; init; } = 5;

    /// <summary>Seconds after which the server gives a statement up; it is then tried again.</summary>
    [AboveZero]
    public double StatementTimeoutSeconds { get; init; } = 30;

    /// <summary>Seconds after which the server gives up waiting for a lock; the statement is then tried again.</summary>
    [AboveZero]
    public double LockTimeoutSeconds { get; init; } = 2;

    /// <summary>Seconds that a step waits for a server that cannot be reached, before its run is left to be taken up later.</summary>
    public double PatienceSeconds { get; init; } = 300;

    /// <summary>True where a server is named.</summary>
    internal bool IsNamed => Host.Length > 0 || Url.IsSet;
}
