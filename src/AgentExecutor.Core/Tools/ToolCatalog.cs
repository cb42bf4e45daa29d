using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools.Builtin;

namespace AgentExecutor.Core.Tools;

/// <summary>The tool runtimes by name, and the built-in tools.</summary>
public sealed class ToolCatalog(IEnumerable<IToolSource> sources) : IAsyncDisposable
{
    private readonly Dictionary<string, IToolSource> _sources = sources.ToDictionary(source => source.RuntimeType, StringComparer.Ordinal);

    public IEnumerable<string> Runtimes => _sources.Keys.Append(BuiltinRuntime).Order(StringComparer.Ordinal);

    public const string BuiltinRuntime = "builtin";

    /// <summary>The tools that every deep agent has, except <c>task</c>, which depends on its sub-agents.</summary>
    public static IReadOnlyList<Tool> Builtin { get; } =
    [
        new WriteTodosTool(),
        new ListFilesTool(),
        new ReadFileTool(),
        new WriteFileTool(),
        new EditFileTool(),
        new GlobTool(),
        new GrepTool(),
    ];

    public static Tool? FindBuiltin(string name) => Builtin.FirstOrDefault(tool => tool.Name == name);

    /// <summary>
    /// Prepares the sources of a definition's tools. It must be called before the definition is validated or compiled.
    /// </summary>
    public async ValueTask PrepareAsync(AgentDefinition? definition, CancellationToken cancellationToken)
    {
        foreach (var tools in (definition?.ToolDefinitions ?? []).GroupBy(tool => tool.RuntimeType))
        {
            if (Find(tools.Key) is { } source)
            {
                await source.PrepareAsync([.. tools], cancellationToken);
            }
        }
    }

    public IToolSource? Find(string runtimeType) => _sources.GetValueOrDefault(runtimeType);

    /// <summary>Ends the processes and connections of the sources.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var source in _sources.Values)
        {
            switch (source)
            {
                case IAsyncDisposable asynchronous:
                    await asynchronous.DisposeAsync();
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
            }
        }
    }

    /// <summary>Creates the tool. Its definition must be valid.</summary>
    public Tool Create(ToolDefinition definition) =>
        definition.RuntimeType == BuiltinRuntime
            ? FindBuiltin(definition.Name)
                ?? throw new FaultException(FaultCodes.ToolUnavailable, $"there is no built-in tool '{definition.Name}'")
            : (
                Find(definition.RuntimeType)
                ?? throw new FaultException(FaultCodes.ToolUnavailable, $"there is no tool runtime '{definition.RuntimeType}'")
            ).Create(definition);
}
