using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server;

/// <summary>The program, put together from its settings.</summary>
public sealed class App : IAsyncDisposable
{
    /// <summary>Whose model it is where the default model names no provider.</summary>
    private const string DefaultProvider = "openai";

    private readonly ThreadStore _store;

    private App(ServerSettings settings, ModelSpec? model)
    {
        Settings = settings;
        Environment = EnvironmentOf(settings, model);
        _store = AdapterCatalog.OpenSqlite(new SqliteSettings { Directory = settings.DataDir, SyncEveryCommit = settings.SyncEveryCommit });
        Services = new RunServices(_store.Checkpoints, Events, TimeProvider.System);
        Executor = new RunExecutor(Services, _store.Runs, new CompiledAgents(Environment));
        Editor = new ThreadEditor(Services, _store.Runs, Executor);
    }

    public ServerSettings Settings { get; }

    public DefinitionEnvironment Environment { get; }

    public RunServices Services { get; }

    public InMemoryEventStream Events { get; } = new();

    public IRunStore Runs => _store.Runs;

    public RunExecutor Executor { get; }

    public ThreadEditor Editor { get; }

    /// <summary>For commands that read: like <see cref="Build"/>, but makes no database.</summary>
    /// <exception cref="FaultException">There is no database in the directory.</exception>
    public static App Open(ServerSettings settings, ModelSpec? model = null) => AdapterCatalog.HasSqlite(settings.DataDir)
        ? Build(settings, model)
        : throw new FaultException(
            FaultCodes.StoreUnavailable, $"there is no database in '{settings.DataDir}'", "run a definition first, or name the directory with --data-dir or DATA_DIR");

    /// <param name="model">The model of all agents, whatever they name.</param>
    public static App Build(ServerSettings settings, ModelSpec? model = null) => new(settings, model);

    /// <summary>Against what definitions are checked; opens no store.</summary>
    public static DefinitionEnvironment EnvironmentOf(ServerSettings settings, ModelSpec? model = null) => new(
        new ModelCatalog(AdapterCatalog.ModelProviders(TimeProvider.System)),
        new ToolCatalog(AdapterCatalog.ToolSources(settings.HttpTools, TimeProvider.System)),
        settings.Limits,
        settings.LlmModelName is { } name ? ModelSpec.TryParse(name) ?? new ModelSpec { Provider = DefaultProvider, Model = name } : null,
        model);

    /// <exception cref="FaultException">The text is not of the form <c>provider:model</c>.</exception>
    public static ModelSpec ParseModel(string text) => ModelSpec.TryParse(text) ?? throw new FaultException(
        FaultCodes.InvalidInput, $"'{text}' names no model", "write provider:model, such as scripted:demo");

    public ValueTask DisposeAsync() => _store.DisposeAsync();
}
