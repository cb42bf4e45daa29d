using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Roles;

/// <summary>What the service logs. Ids 1200 to 1299 are its own; none is used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1200, LogLevel.Information, "agent-executor {version} starts: roles {roles}, threads in {store}, jobs and results by {bus}, live events through {streams}")]
    public static partial void Starting(ILogger logger, string version, string roles, string store, string bus, string streams);

    [LoggerMessage(1202, LogLevel.Information, "Listening on {url}")]
    public static partial void Listening(ILogger logger, string url);

    [LoggerMessage(1203, LogLevel.Information, "Ready")]
    public static partial void Ready(ILogger logger);

    [LoggerMessage(1201, LogLevel.Warning, "{reason}. It is tried again every second")]
    public static partial void Waiting(ILogger logger, string reason);
}
