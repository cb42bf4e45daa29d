using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>Creates tools with <c>runtime.type: mcp</c>. A server is first contacted when an agent that uses it runs.</summary>
internal sealed class McpToolSource : IToolSource, IAsyncDisposable
{
    private readonly McpSettings _settings;
    private readonly HttpToolSettings _http;
    private readonly TimeProvider _time;
    private readonly McpToolChecks _checks;
    private readonly McpConnections _connections;

    /// <param name="settings">The settings of servers.</param>
    /// <param name="http">The settings of what is sent over HTTP, and of secrets.</param>
    /// <param name="sandbox">Starts servers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Creates loggers.</param>
    public McpToolSource(McpSettings settings, HttpToolSettings http, ISandbox sandbox, TimeProvider time, ILoggerFactory loggers)
    {
        (_settings, _http, _time) = (settings, http, time);
        var guard = http.CreateGuard();
        _checks = new McpToolChecks(settings, http, guard);
        _connections = new McpConnections(new McpTransports(guard, sandbox, settings, loggers), settings, time, loggers);
    }

    public string RuntimeType => "mcp";

    public IEnumerable<ToolFault> Check(ToolDefinition definition) => _checks.Check(definition);

    public Tool Create(ToolDefinition definition) =>
        new McpToolSet(definition, McpEndpoint.Of(definition, _settings, _http), _settings, _connections, _time);

    public ValueTask DisposeAsync() => _connections.DisposeAsync();
}
