using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>What this adapter logs. Ids 1100 to 1109 are its own; none is used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1100, LogLevel.Warning, "PostgreSQL is not available: {reason}. Runs wait for it")]
    public static partial void Unavailable(ILogger logger, string reason);

    [LoggerMessage(1101, LogLevel.Information, "PostgreSQL is back after {seconds} s")]
    public static partial void Back(ILogger logger, double seconds);

    [LoggerMessage(1102, LogLevel.Information, "Migration {version} ({name}) applied")]
    public static partial void Migrated(ILogger logger, int version, string name);

    [LoggerMessage(1103, LogLevel.Information, "Migration {version} ({name}) undone")]
    public static partial void Undone(ILogger logger, int version, string name);
}
