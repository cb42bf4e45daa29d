using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Recording;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Composition;

/// <summary>
/// The parts of the program that a command uses, composed by the same registrations as the service. A part is created when the command
/// first uses it. The command disposes this object, and with it the parts.
/// </summary>
internal sealed class CommandServices : IAsyncDisposable
{
    private readonly ServiceProvider _provider;

    private CommandServices(ServiceProvider provider) => _provider = provider;

    public ServerSettings Settings => _provider.GetRequiredService<ServerSettings>();

    public ThreadStore Store => _provider.GetRequiredService<ThreadStore>();

    public DefinitionEnvironment Environment => _provider.GetRequiredService<DefinitionEnvironment>();

    public RunServices Services => _provider.GetRequiredService<RunServices>();

    /// <summary>The events of the runs that this command executes.</summary>
    public InMemoryEventStream Events => _provider.GetRequiredService<InMemoryEventStream>();

    public ILoggerFactory Loggers => _provider.GetRequiredService<ILoggerFactory>();

    public IRunStore Runs => Store.Runs;

    /// <summary>Null for the embedded store of a command, which has no queue.</summary>
    public IRunQueue? Queue => Store.Queue;

    /// <summary>Null if there is no queue.</summary>
    public IOutbox? Outbox => Store.Outbox;

    /// <summary>Renews the leases of this process; null if the store has no leases.</summary>
    public LeaseKeeper? Keeper => _provider.GetService<LeaseKeeper>();

    /// <summary>The bus of jobs and results; only available after <see cref="ForBusAsync"/>.</summary>
    public IEventBus Bus => _provider.GetRequiredService<IEventBus>();

    public CompiledAgents Agents => _provider.GetRequiredService<CompiledAgents>();

    public RunExecutor Executor => _provider.GetRequiredService<RunExecutor>();

    public RunControl Control => _provider.GetRequiredService<RunControl>();

    public ThreadEditor Editor => _provider.GetRequiredService<ThreadEditor>();

    /// <summary>Reads threads. It needs neither the models nor the tools of their definitions.</summary>
    public ThreadReader Reader => _provider.GetRequiredService<ThreadReader>();

    /// <summary>Like <see cref="CreateAsync"/>, but fails if the embedded database does not exist.</summary>
    /// <exception cref="FaultException">There is no database in the directory.</exception>
    public static async Task<CommandServices> OpenAsync(
        ServerSettings settings,
        CancellationToken cancellationToken,
        ModelSpec? model = null,
        ICallInterceptor? tap = null
    ) =>
        !StoreChoice.IsEmbedded(settings) || AdapterCatalog.HasSqlite(settings.DataDir)
            ? await CreateAsync(settings, cancellationToken, model, tap)
            : throw new FaultException(
                FaultCodes.StoreUnavailable,
                $"there is no database in '{settings.DataDir}'",
                "run a definition first, or specify the directory with --data-dir or DATA_DIR"
            );

    /// <summary>Composes the parts and opens the store.</summary>
    /// <param name="settings">The program's settings.</param>
    /// <param name="cancellationToken">Cancels the check of the store.</param>
    /// <param name="model">The model that all agents use instead of the models of their definitions; or null.</param>
    /// <param name="tap">Records or replays the calls of models and tools; null to call them directly.</param>
    /// <exception cref="FaultException">The store cannot be opened.</exception>
    public static async Task<CommandServices> CreateAsync(
        ServerSettings settings,
        CancellationToken cancellationToken,
        ModelSpec? model = null,
        ICallInterceptor? tap = null
    )
    {
        var loggers = LineLoggers.ForCommands;
        var services = new ServiceCollection()
            .AddEngine(settings, loggers)
            .AddSingleton(_ => DefinitionEnvironments.Create(settings, model, tap))
            .AddSingleton(_ => new InMemoryEventStream())
            .AddSingleton<IEventStream>(it => it.GetRequiredService<InMemoryEventStream>())
            .AddSingleton(it => new ThreadReader(
                it.GetRequiredService<ThreadStore>().Checkpoints,
                it.GetRequiredService<ThreadStore>().Runs
            ))
            .AddSingleton(it => new ThreadEditor(
                it.GetRequiredService<RunServices>(),
                it.GetRequiredService<ThreadStore>().Runs,
                it.GetRequiredService<RunExecutor>()
            ));
        await StoreChoice.CheckAsync(settings, TimeProvider.System, loggers, cancellationToken);
        services.AddCommandStore(settings);
        var parts = new CommandServices(services.BuildServiceProvider());
        _ = parts.Store; // opens the store, so that errors are reported before the command starts
        return parts;
    }

    /// <summary>For commands that read and publish messages. The store is only opened if its tables are the bus.</summary>
    /// <exception cref="FaultException">The store cannot be opened.</exception>
    public static async Task<CommandServices> ForBusAsync(ServerSettings settings, CancellationToken cancellationToken)
    {
        var loggers = LineLoggers.ForCommands;
        if (!AdapterCatalog.IsNamed(settings.Nats))
        {
            await StoreChoice.CheckAsync(settings, TimeProvider.System, loggers, cancellationToken);
        }
        return new CommandServices(
            new ServiceCollection()
                .AddEngine(settings, loggers)
                .AddSharedStore(settings)
                .AddBus(settings, isClient: true)
                .BuildServiceProvider()
        );
    }

    public ValueTask DisposeAsync() => _provider.DisposeAsync();
}
