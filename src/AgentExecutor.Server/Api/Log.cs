using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Api;

/// <summary>The log messages of the HTTP API, with the ids 1250 to 1259. An id is never used for another message.</summary>
internal static partial class Log
{
    [LoggerMessage(1250, LogLevel.Error, "{method} {path} failed because of an internal error")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string method, string path);
}
