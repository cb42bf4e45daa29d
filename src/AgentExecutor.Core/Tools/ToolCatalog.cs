using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools.Builtin;

namespace AgentExecutor.Core.Tools;

/// <summary>The tool runtimes by name, and the built-in tools.</summary>
/// <param name="sources">The runtimes.</param>
/// <param name="settings">How tools are called; null for the defaults.</param>
/// <param name="time">The clock of rate limits; null for that of the system.</param>
public sealed class ToolCatalog(IEnumerable<IToolSource> sources, ToolSettings? settings = null, TimeProvider? time = null)
    : IAsyncDisposable
{
    private readonly ToolPolicies _policies = new(time ?? TimeProvider.System);
    private readonly string _defaultEffects = settings?.DefaultEffects == UnstatedEffects.Once ? "once" : "idempotent";
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

    /// <summary>The built-in tools that an agent has only if its definition lists them.</summary>
    public static IReadOnlyList<Tool> Optional { get; } = [new AskPersonTool()];

    public static Tool? FindBuiltin(string name) => Builtin.FirstOrDefault(tool => tool.Name == name) ?? FindOptional(name);

    public static Tool? FindOptional(string name) => Optional.FirstOrDefault(tool => tool.Name == name);

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

    /// <summary>
    /// Creates the tool. Its definition must be valid. If the definition does not state the tool's effects, the runtime or the settings do.
    /// </summary>
    public Tool Create(ToolDefinition definition)
    {
        if (definition.RuntimeType == BuiltinRuntime)
        {
            return FindBuiltin(definition.Name)
                ?? throw new FaultException(FaultCodes.ToolUnavailable, $"there is no built-in tool '{definition.Name}'");
        }
        var source =
            Find(definition.RuntimeType)
            ?? throw new FaultException(FaultCodes.ToolUnavailable, $"there is no tool runtime '{definition.RuntimeType}'");
        var tool = source.Create(
            definition.Effects is null
                ? definition with
                {
                    Effects = source.EffectsOf(definition) ?? _defaultEffects,
                    StatesEffects = false,
                }
                : definition
        );
        tool.Policy = _policies.Read(definition, tool.Policy);
        return tool;
    }
}
