using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>What is logged of jobs coming in and results going out. Ids 1300 to 1399 are theirs; none is used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1300, LogLevel.Warning, "Message {sequence} put to the dead letters: {reason} [{code}]")]
    public static partial void Buried(ILogger logger, long sequence, string reason, string code, string job_id, string trace_id);

    [LoggerMessage(1301, LogLevel.Error, "{count} messages could not be taken; they come again")]
    public static partial void NotAdmitted(ILogger logger, Exception exception, int count);

    [LoggerMessage(1302, LogLevel.Error, "Results could not be announced: {reason} [{code}]; they wait, and it is tried again")]
    public static partial void NotAnnounced(ILogger logger, string reason, string code);

    [LoggerMessage(1303, LogLevel.Warning, "Run cancelled by request")]
    public static partial void CancelAsked(ILogger logger, string job_id, string thread_id, string trace_id);
}
