using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The log messages of this adapter. They use the event ids 1100 to 1109 and 1150 to 1159. An id is never reused.</summary>
internal static partial class Log
{
    [LoggerMessage(1100, LogLevel.Warning, "PostgreSQL is not available: {reason}. Runs wait until it is available again")]
    public static partial void Unavailable(ILogger logger, string reason);

    [LoggerMessage(1101, LogLevel.Information, "PostgreSQL is available again after {seconds} s")]
    public static partial void Back(ILogger logger, double seconds);

    [LoggerMessage(1102, LogLevel.Information, "Migration {version} ({name}) applied")]
    public static partial void Migrated(ILogger logger, int version, string name);

    [LoggerMessage(1103, LogLevel.Information, "Migration {version} ({name}) reverted")]
    public static partial void Undone(ILogger logger, int version, string name);

    [LoggerMessage(
        1150,
        LogLevel.Information,
        "PostgreSQL is behind a connection pooler ({reason}), so statements are not prepared and queues are polled"
    )]
    public static partial void PoolerFound(ILogger logger, string reason);
}
