using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// The log messages about incoming jobs and outgoing results. They use the event ids 1300 to 1399. An id is never reused.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(1300, LogLevel.Warning, "Message {sequence} was moved to the dead letters: {reason} [{code}]")]
    public static partial void DeadLettered(ILogger logger, long sequence, string reason, string code, string job_id, string trace_id);

    [LoggerMessage(1301, LogLevel.Error, "{count} messages could not be stored as runs. They will be redelivered")]
    public static partial void NotStored(ILogger logger, Exception exception, int count);

    [LoggerMessage(1302, LogLevel.Error, "Results could not be published: {reason} [{code}]. They stay in the outbox and are retried")]
    public static partial void NotPublished(ILogger logger, string reason, string code);

    [LoggerMessage(1304, LogLevel.Warning, "Answers cannot arrive by message: {reason} [{code}]")]
    public static partial void NoInbox(ILogger logger, string reason, string code);

    [LoggerMessage(1305, LogLevel.Error, "An answer could not be taken. It will be redelivered")]
    public static partial void NotTaken(ILogger logger, Exception exception);

    [LoggerMessage(
        1303,
        LogLevel.Warning,
        "A result of {bytes} bytes exceeds the bus's maximum of {limit} bytes and is published shortened. The job's state has all of it"
    )]
    public static partial void ResultTooLarge(ILogger logger, int bytes, int limit, string job_id, string trace_id);
}
