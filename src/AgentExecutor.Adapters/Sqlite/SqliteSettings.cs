namespace AgentExecutor.Adapters.Sqlite;

/// <summary>The embedded store.</summary>
public sealed record SqliteSettings
{
    /// <summary>The directory of the database file <c>agent-executor.db</c>; made where it is missing.</summary>
    public string Directory { get; init; } = "./data";

    /// <summary>Survive a power cut, not only a crash of the process: one fsync a commit.</summary>
    public bool SyncEveryCommit { get; init; } = true;
}
