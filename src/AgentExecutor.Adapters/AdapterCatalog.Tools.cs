using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Adapters.Scripts;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Tools.External;

namespace AgentExecutor.Adapters;

/// <content>The runtimes of tools.</content>
public static partial class AdapterCatalog
{
    /// <summary>Creates the tool runtimes. Those that hold processes or connections are disposable.</summary>
    public static IReadOnlyList<IToolSource> ToolSources(
        HttpToolSettings http,
        ScriptToolSettings scripts,
        SandboxSettings sandbox,
        TimeProvider time
    ) => [new HttpToolSource(http, time), new ScriptToolSource(new ProcessSandbox(sandbox, time), scripts, time), new EventToolSource()];
}
