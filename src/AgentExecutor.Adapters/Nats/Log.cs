using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats;

/// <summary>The log messages of this adapter. It owns the ids 1110 to 1139; 1116 and 1134 are retired and not used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1110, LogLevel.Warning, "NATS is not available: {reason}. Messages wait until it is available again")]
    public static partial void Unavailable(ILogger logger, string reason);

    [LoggerMessage(1111, LogLevel.Information, "NATS is available again after {seconds} s")]
    public static partial void Back(ILogger logger, double seconds);

    [LoggerMessage(1112, LogLevel.Information, "Connected to NATS server {server} ({version}) at {endpoint}")]
    public static partial void Connected(ILogger logger, string server, string version, string endpoint);

    [LoggerMessage(1113, LogLevel.Information, "NATS server {server} is about to shut down; connecting to another server of the cluster")]
    public static partial void LameDuck(ILogger logger, string server);

    [LoggerMessage(1114, LogLevel.Error, "NATS rejects the connection: {reason}. The next call tries to connect again")]
    public static partial void Refused(ILogger logger, string reason);

    [LoggerMessage(1115, LogLevel.Warning, "NATS reported an error: {error}")]
    public static partial void ServerError(ILogger logger, string error);

    [LoggerMessage(1130, LogLevel.Information, "NATS stream {stream} created")]
    public static partial void StreamCreated(ILogger logger, string stream);

    [LoggerMessage(1131, LogLevel.Information, "NATS stream {stream} updated: {difference}")]
    public static partial void StreamUpdated(ILogger logger, string stream, string difference);

    [LoggerMessage(1132, LogLevel.Warning, "{consequence} ({name}: {difference}). {why}")]
    public static partial void Differs(ILogger logger, string consequence, string name, string difference, string why);

    [LoggerMessage(1133, LogLevel.Information, "NATS consumer {consumer} of the stream {stream} created or updated")]
    public static partial void ConsumerUpdated(ILogger logger, string consumer, string stream);

    [LoggerMessage(1135, LogLevel.Error, "NATS cannot be used: {reason}. The service retries")]
    public static partial void Unusable(ILogger logger, string reason);

    [LoggerMessage(
        1136,
        LogLevel.Information,
        "The {messages} are stored in the existing NATS stream {stream}, which has their subjects, instead of {name}. "
            + "The service does not change that stream"
    )]
    public static partial void ForeignStream(ILogger logger, string messages, string stream, string name);

    [LoggerMessage(
        1137,
        LogLevel.Warning,
        "The consumer {consumer} delivers messages that are not jobs, such as one on {subject}, which are acknowledged and skipped. "
            + "Set its filter to {filter}"
    )]
    public static partial void NotAJob(ILogger logger, string consumer, string subject, string filter);
}
