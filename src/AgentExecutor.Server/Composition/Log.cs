using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Composition;

/// <summary>The log messages about the start of the service, with the ids 1200 and 1202. An id is never used for another message.</summary>
internal static partial class Log
{
    [LoggerMessage(
        1200,
        LogLevel.Information,
        "agent-executor {version} starts. Roles: {roles}. Threads: {store}. Jobs and results: {bus}. Live events: {streams}"
    )]
    public static partial void Starting(ILogger logger, string version, string roles, string store, string bus, string streams);

    [LoggerMessage(1202, LogLevel.Information, "Listening on {url}")]
    public static partial void Listening(ILogger logger, string url);
}
