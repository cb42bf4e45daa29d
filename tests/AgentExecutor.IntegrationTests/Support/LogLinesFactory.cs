using Microsoft.Extensions.Logging;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Collects the lines of all loggers.</summary>
internal sealed class LogLinesFactory(LogLines log) : ILoggerFactory
{
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public ILogger CreateLogger(string categoryName) => log;

    public void Dispose() { }
}
