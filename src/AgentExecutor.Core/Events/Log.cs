using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Events;

/// <summary>What live events log. Ids 1400 to 1419 are theirs; none is used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1400, LogLevel.Error, "An event could not be told live")]
    public static partial void NotTold(ILogger logger, Exception exception, string thread_id, long sequence);

    [LoggerMessage(1403, LogLevel.Error, "A watched thread can be followed no further; its watchers are told")]
    public static partial void NotFollowed(ILogger logger, Exception exception, string thread_id);

    [LoggerMessage(1402, LogLevel.Error, "Live events could not be sent; later ones follow")]
    public static partial void NotSent(ILogger logger, Exception exception);

    [LoggerMessage(1401, LogLevel.Error, "Watched threads could not be looked after; the next look follows")]
    public static partial void NotLooked(ILogger logger, Exception exception);
}
