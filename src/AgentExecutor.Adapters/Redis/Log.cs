using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Redis;

/// <summary>What this adapter logs. Ids 1140 to 1169 are its own; none is used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1140, LogLevel.Warning, "Redis is not available: {reason}. Live events are not sent meanwhile; runs go on")]
    public static partial void Unavailable(ILogger logger, string reason);

    [LoggerMessage(1141, LogLevel.Information, "Redis is back after {seconds} s")]
    public static partial void Back(ILogger logger, double seconds);

    [LoggerMessage(1142, LogLevel.Information, "Connected to Redis at {endpoint} for {purpose} (RESP{protocol}, version {version})")]
    public static partial void Connected(ILogger logger, string endpoint, string purpose, int protocol, string version);

    [LoggerMessage(1143, LogLevel.Error, "Redis cannot be used for {purpose}: {reason}. It is tried again")]
    public static partial void Unusable(ILogger logger, string purpose, string reason);

    [LoggerMessage(1144, LogLevel.Warning, "Redis does not take events: {error}. Those are lost to who watches live, not to the log")]
    public static partial void NotTaken(ILogger logger, string error);

    [LoggerMessage(1145, LogLevel.Warning, "Redis refuses a subscription: {error}")]
    public static partial void SubscriptionRefused(ILogger logger, string error);
}
