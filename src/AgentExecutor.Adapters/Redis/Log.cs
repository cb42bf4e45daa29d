using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Redis;

/// <summary>The log messages of this adapter. It uses the ids 1140 to 1169, and never reuses one.</summary>
internal static partial class Log
{
    [LoggerMessage(
        1140,
        LogLevel.Warning,
        "Redis is not available: {reason}. Runs continue, but live events are not sent to other processes until it is back"
    )]
    public static partial void Unavailable(ILogger logger, string reason);

    [LoggerMessage(1141, LogLevel.Information, "Redis is available again after {seconds} s")]
    public static partial void Back(ILogger logger, double seconds);

    [LoggerMessage(1142, LogLevel.Information, "Connected to Redis at {endpoint} for {purpose} (RESP{protocol}, version {version})")]
    public static partial void Connected(ILogger logger, string endpoint, string purpose, int protocol, string version);

    [LoggerMessage(1143, LogLevel.Error, "Redis cannot be used for {purpose}: {reason}. AgentExecutor keeps trying")]
    public static partial void Unusable(ILogger logger, string purpose, string reason);

    [LoggerMessage(
        1144,
        LogLevel.Warning,
        "Redis rejects events: {error}. Watchers at other processes do not receive them live; they read them from the log instead"
    )]
    public static partial void EventsRejected(ILogger logger, string error);

    [LoggerMessage(1145, LogLevel.Warning, "Redis rejects a subscription: {error}")]
    public static partial void SubscriptionRejected(ILogger logger, string error);
}
