using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Recording;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server;

/// <summary>The program, put together from its settings.</summary>
public sealed class App : IAsyncDisposable
{
    private App(ServerSettings settings, ModelSpec? model, ThreadStore store, ILoggerFactory loggers, bool isShared, IExchangeTap? tap)
    {
        (Settings, Store, Loggers) = (settings, store, loggers);
        Environment = EnvironmentOf(settings, model, tap);
        Keeper = store.Queue is { } queue
            ? new LeaseKeeper(queue, Lease.New(TimeSpan.FromSeconds(settings.Worker.LeaseSeconds)), TimeProvider.System)
            : null;
        Agents = new CompiledAgents(Environment);
        if (isShared)
        {
            Transport = AdapterCatalog.IsNamed(settings.Redis) ? AdapterCatalog.OpenRedisTransport(settings.Redis, settings.Stream, TimeProvider.System, loggers) : null;
            var replay = new EventReplay(store.Log, store.Watched.Checkpoints, store.Watched.Runs, Agents, settings.Stream.State);
            Live = new LiveEvents(replay, Transport, settings.Stream, TimeProvider.System, loggers.CreateLogger<LiveEvents>());
        }
        Services = new RunServices(Store.Checkpoints, (IEventStream?)Live ?? Events, TimeProvider.System)
        {
            Keeper = Keeper,
            UnknownOutcome = settings.UnknownOutcome,
            Prices = Environment.Prices,
            Budgets = Store.Budgets,
            Models = new ModelGates(settings.Models, TimeProvider.System),
        };
        Executor = new RunExecutor(Services, Store.Runs, Agents);
        Editor = new ThreadEditor(Services, Store.Runs, Executor);
    }

    public ServerSettings Settings { get; }

    public ThreadStore Store { get; }

    public DefinitionEnvironment Environment { get; }

    public RunServices Services { get; }

    /// <summary>What a command's own runs tell.</summary>
    public InMemoryEventStream Events { get; } = new();

    /// <summary>What the runs of a serving process tell, and those who watch them; null in a command.</summary>
    public LiveEvents? Live { get; }

    /// <summary>To and from other processes; null where none is named.</summary>
    public IEventTransport? Transport { get; }

    public ILoggerFactory Loggers { get; }

    public IRunStore Runs => Store.Runs;

    /// <summary>Null where a command has the embedded store.</summary>
    public IRunQueue? Queue => Store.Queue;

    /// <summary>Null where there is no queue.</summary>
    public IOutbox? Outbox => Store.Outbox;

    /// <summary>Keeps the leases of this process; null where the store keeps none.</summary>
    public LeaseKeeper? Keeper { get; }

    public CompiledAgents Agents { get; }

    public RunExecutor Executor { get; }

    public ThreadEditor Editor { get; }

    /// <summary>For commands that read: like <see cref="BuildAsync"/>, but makes no embedded database.</summary>
    /// <exception cref="FaultException">There is no database in the directory.</exception>
    public static async Task<App> OpenAsync(ServerSettings settings, CancellationToken cancellationToken, ModelSpec? model = null, IExchangeTap? tap = null) =>
        AdapterCatalog.IsNamed(settings.Postgres) || AdapterCatalog.HasSqlite(settings.DataDir)
            ? await BuildAsync(settings, cancellationToken, model, tap: tap)
            : throw new FaultException(
                FaultCodes.StoreUnavailable, $"there is no database in '{settings.DataDir}'", "run a definition first, or name the directory with --data-dir or DATA_DIR");

    /// <param name="model">The model of all agents, whatever they name.</param>
    /// <param name="isShared">With a queue and leases, also on the embedded store.</param>
    /// <param name="tap">What calls of models and tools go through; null for nothing.</param>
    /// <exception cref="FaultException">The store cannot be opened.</exception>
    public static async Task<App> BuildAsync(
        ServerSettings settings, CancellationToken cancellationToken, ModelSpec? model = null, ILoggerFactory? loggers = null, bool isShared = false,
        IExchangeTap? tap = null)
    {
        loggers ??= LineLoggers.ForCommands;
        var store = AdapterCatalog.IsNamed(settings.Postgres)
            ? await AdapterCatalog.OpenPostgresAsync(settings.Postgres, TimeProvider.System, loggers, cancellationToken)
            : OpenSqlite(new SqliteSettings { Directory = settings.DataDir, SyncEveryCommit = settings.SyncEveryCommit }, isShared);
        return new App(settings, model, store, loggers, isShared, tap);
    }

    private static ThreadStore OpenSqlite(SqliteSettings settings, bool isShared) =>
        isShared ? AdapterCatalog.OpenSqliteService(settings, TimeProvider.System) : AdapterCatalog.OpenSqlite(settings);

    /// <summary>Against what definitions are checked; opens no store.</summary>
    public static DefinitionEnvironment EnvironmentOf(ServerSettings settings, ModelSpec? model = null, IExchangeTap? tap = null) => new(
        new ModelCatalog(AdapterCatalog.ModelProviders(settings.ModelServers, TimeProvider.System).Select(provider => tap?.Over(provider) ?? provider)),
        new ToolCatalog(AdapterCatalog.ToolSources(settings.HttpTools, TimeProvider.System).Select(source => tap?.Over(source) ?? source)),
        settings.Limits,
        settings.LlmModelName is { } name ? ParseModel(name) : null,
        model)
    {
        Prices = settings.PricesFile is { } file ? ReadPrices(file) : PriceTable.Shipped,
    };

    private static PriceTable ReadPrices(string file)
    {
        try
        {
            return PriceTable.Shipped.With(File.ReadAllBytes(file));
        }
        catch (FaultException fault)
        {
            throw new FaultException(fault.Code, $"in '{file}' (AGENT_EXECUTOR_PRICES_FILE), {fault.Message}", fault.Hint, fault);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FaultException(FaultCodes.InvalidPrices, $"the price table '{file}' cannot be read: {exception.Message}", "see that AGENT_EXECUTOR_PRICES_FILE names a file that may be read");
        }
    }

    /// <summary>A model as <c>provider:model</c>. A bare name is OpenAI's, also that of a tuned model (<c>ft:...</c>), unless it is of Anthropic's kind.</summary>
    public static ModelSpec ParseModel(string name) =>
        (name.StartsWith("ft:", StringComparison.Ordinal) ? null : ModelSpec.TryParse(name))
        ?? new ModelSpec { Provider = name.StartsWith("claude", StringComparison.OrdinalIgnoreCase) ? "anthropic" : "openai", Model = name };

    public async ValueTask DisposeAsync()
    {
        Live?.Dispose();
        if (Transport is not null)
        {
            await Transport.DisposeAsync();
        }
        await Store.DisposeAsync();
    }
}
