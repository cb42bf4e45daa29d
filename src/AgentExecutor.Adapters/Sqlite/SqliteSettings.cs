namespace AgentExecutor.Adapters.Sqlite;

/// <summary>The settings of the embedded store.</summary>
public sealed record SqliteSettings
{
    /// <summary>The directory of the database file <c>agent-executor.db</c>. It is created if it does not exist.</summary>
    public string Directory { get; init; } = "./data";

    /// <summary>
    /// True if commits must survive a power failure and not only a crash of the process. Each transaction then needs an fsync.
    /// </summary>
    public bool SyncEveryCommit { get; init; } = true;
}
