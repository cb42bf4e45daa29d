using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Streaming;

/// <summary>The log messages of live events. Ids 1400 to 1419 are reserved for them; an id is never reused.</summary>
internal static partial class Log
{
    [LoggerMessage(1400, LogLevel.Error, "A live event could not be published")]
    public static partial void EventNotPublished(ILogger logger, Exception exception, string thread_id, long sequence);

    [LoggerMessage(1403, LogLevel.Error, "A thread can no longer be followed; its subscriptions end")]
    public static partial void FeedFailed(ILogger logger, Exception exception, string thread_id);

    [LoggerMessage(1402, LogLevel.Error, "A batch of live events could not be sent; later batches are still sent")]
    public static partial void BatchNotSent(ILogger logger, Exception exception);

    [LoggerMessage(1401, LogLevel.Error, "The log positions of followed threads could not be read; reading is retried")]
    public static partial void PollFailed(ILogger logger, Exception exception);
}
