using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// The log messages about the readiness and the shutdown of the service, with the ids 1201, 1203 to 1205 and 1260 to 1262. An id is
/// never used for another message.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(1203, LogLevel.Information, "Ready")]
    public static partial void Ready(ILogger logger);

    [LoggerMessage(1204, LogLevel.Information, "Programs of definitions run with the isolation {isolation}")]
    public static partial void Isolation(ILogger logger, string isolation);

    [LoggerMessage(
        1205,
        LogLevel.Warning,
        "Programs of definitions are refused: AGENT_EXECUTOR_SANDBOX_MINIMUM is {minimum}, and the isolation of this machine is {isolation}"
    )]
    public static partial void IsolationMissing(ILogger logger, string minimum, string isolation);

    [LoggerMessage(
        1262,
        LogLevel.Information,
        "The service received a signal to stop. /ready returns 503, and the service accepts requests and jobs for {seconds} more seconds"
    )]
    public static partial void Draining(ILogger logger, double seconds);

    [LoggerMessage(1201, LogLevel.Warning, "The store cannot be opened: {reason}. The service retries every second")]
    public static partial void StoreUnavailable(ILogger logger, string reason);

    [LoggerMessage(1260, LogLevel.Warning, "The service is not ready yet and waits for {reasons}")]
    public static partial void NotReadyYet(ILogger logger, string reasons);

    [LoggerMessage(1261, LogLevel.Warning, "The service is no longer ready: {reasons}")]
    public static partial void NotReady(ILogger logger, string reasons);
}
