using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Api;

/// <summary>What the HTTP side logs. Ids 1250 to 1299 are its own; none is used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1250, LogLevel.Error, "{method} {path} failed by an error of the program's own")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string method, string path);
}
