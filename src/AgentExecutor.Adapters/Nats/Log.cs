using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats;

/// <summary>What this adapter logs. Ids 1110 to 1139 are its own; none is used again (1134 was).</summary>
internal static partial class Log
{
    [LoggerMessage(1110, LogLevel.Warning, "NATS is not available: {reason}. Messages wait for it")]
    public static partial void Unavailable(ILogger logger, string reason);

    [LoggerMessage(1111, LogLevel.Information, "NATS is back after {seconds} s")]
    public static partial void Back(ILogger logger, double seconds);

    [LoggerMessage(1112, LogLevel.Information, "Connected to NATS server {server} ({version}) at {endpoint}")]
    public static partial void Connected(ILogger logger, string server, string version, string endpoint);

    [LoggerMessage(1113, LogLevel.Information, "NATS server {server} is about to stop; moving to another")]
    public static partial void LameDuck(ILogger logger, string server);

    [LoggerMessage(1114, LogLevel.Error, "NATS refuses us: {reason}. No more tries until the next call")]
    public static partial void Refused(ILogger logger, string reason);

    [LoggerMessage(1115, LogLevel.Warning, "NATS says: {error}")]
    public static partial void ServerError(ILogger logger, string error);

    [LoggerMessage(1116, LogLevel.Warning, "The reader of {subject} is slower than its messages: from now on some are dropped")]
    public static partial void SlowConsumer(ILogger logger, string subject);

    [LoggerMessage(1130, LogLevel.Information, "NATS stream {stream} created")]
    public static partial void StreamMade(ILogger logger, string stream);

    [LoggerMessage(1131, LogLevel.Information, "NATS stream {stream} updated: {difference}")]
    public static partial void StreamUpdated(ILogger logger, string stream, string difference);

    [LoggerMessage(1132, LogLevel.Warning, "NATS has {name} not as it should be: {difference}. {why}")]
    public static partial void Differs(ILogger logger, string name, string difference, string why);

    [LoggerMessage(1133, LogLevel.Information, "NATS consumer {consumer} of the stream {stream} created or updated")]
    public static partial void ConsumerMade(ILogger logger, string consumer, string stream);

    [LoggerMessage(1135, LogLevel.Error, "NATS cannot be used: {reason}. It is tried again")]
    public static partial void Unusable(ILogger logger, string reason);
}
