using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.Mcp;
using AgentExecutor.Adapters.OpenApi;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Adapters.Scripts;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Tools.External;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters;

/// <content>The runtimes of tools.</content>
public static partial class AdapterCatalog
{
    /// <summary>
    /// Creates the tool runtimes. Those that hold processes or connections are disposable. Programs that they start share one sandbox.
    /// </summary>
    public static IReadOnlyList<IToolSource> ToolSources(
        HttpToolSettings http,
        ScriptToolSettings scripts,
        McpSettings mcp,
        SandboxSettings sandbox,
        TimeProvider time,
        ILoggerFactory loggers
    )
    {
        var programs = new ProcessSandbox(sandbox, time);
        return
        [
            new HttpToolSource(http, time),
            new OpenApiSource(http, time),
            new McpToolSource(mcp, http, programs, time, loggers),
            new ScriptToolSource(programs, scripts, time),
            new EventToolSource(),
        ];
    }
}
