using AgentExecutor.Adapters;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Composition;

/// <summary>
/// Registers the parts that every process needs, commands and the service. They are created when they are resolved.
/// <para>
/// The interfaces of the store (checkpoints, runs, queue) are not registered one by one, because the container would then dispose the same
/// object several times. Factories take them from <see cref="ThreadStore"/>.
/// </para>
/// </summary>
internal static class EngineServices
{
    public static IServiceCollection AddEngine(this IServiceCollection services, ServerSettings settings, ILoggerFactory loggers) =>
        services
            .AddSettings(settings)
            .AddSingleton(TimeProvider.System)
            .AddSingleton(loggers)
            .AddSingleton(_ => DefinitionEnvironments.Create(settings))
            .AddSingleton(it => new ModelGates(settings.Models, it.GetRequiredService<TimeProvider>()))
            .AddSingleton(it => new CompiledAgents(it.GetRequiredService<DefinitionEnvironment>()))
            .AddSingleton(it => new RunExecutor(
                it.GetRequiredService<RunServices>(),
                Store(it).Runs,
                it.GetRequiredService<CompiledAgents>()
            ))
            .AddSingleton(it => new RunControl(it.GetRequiredService<RunServices>(), Store(it).Runs, Store(it).Queue))
            .AddSingleton(CreateRunServices);

    /// <summary>Registers the store of a process that shares its threads with other processes through leases.</summary>
    public static IServiceCollection AddSharedStore(this IServiceCollection services, ServerSettings settings) =>
        services
            .AddSingleton(it =>
                StoreChoice.OpenShared(settings, it.GetRequiredService<TimeProvider>(), it.GetRequiredService<ILoggerFactory>())
            )
            .AddLeases(settings);

    /// <summary>Registers the store of a command. For the embedded database, there are no leases.</summary>
    public static IServiceCollection AddCommandStore(this IServiceCollection services, ServerSettings settings) =>
        StoreChoice.IsEmbedded(settings)
            ? services.AddSingleton(_ => StoreChoice.OpenEmbedded(settings))
            : services.AddSharedStore(settings);

    /// <summary>Registers the bus of jobs and results.</summary>
    /// <param name="services">The registrations.</param>
    /// <param name="settings">The program's settings.</param>
    /// <param name="isClient">True for a command, which neither creates nor changes streams.</param>
    public static IServiceCollection AddBus(this IServiceCollection services, ServerSettings settings, bool isClient) =>
        services.AddSingleton(it =>
            StoreChoice.OpenBus(
                settings,
                () => Store(it),
                isClient,
                it.GetRequiredService<TimeProvider>(),
                it.GetRequiredService<ILoggerFactory>()
            )
        );

    private static IServiceCollection AddLeases(this IServiceCollection services, ServerSettings settings) =>
        services.AddSingleton(it => new LeaseKeeper(
            Store(it).Queue!,
            Lease.New(TimeSpan.FromSeconds(settings.Worker.LeaseSeconds)),
            it.GetRequiredService<TimeProvider>()
        ));

    /// <summary>Registers each section of the settings, because each component only takes its own.</summary>
    private static IServiceCollection AddSettings(this IServiceCollection services, ServerSettings settings) =>
        services
            .AddSingleton(settings)
            .AddSingleton(settings.Postgres)
            .AddSingleton(settings.Nats)
            .AddSingleton(settings.Bus)
            .AddSingleton(settings.Redis)
            .AddSingleton(settings.Http)
            .AddSingleton(settings.Stream)
            .AddSingleton(settings.Worker)
            .AddSingleton(settings.Retention)
            .AddSingleton(settings.ModelServers)
            .AddSingleton(settings.Models)
            .AddSingleton(settings.Limits)
            .AddSingleton(settings.Tools)
            .AddSingleton(settings.HttpTools)
            .AddSingleton(settings.ScriptTools)
            .AddSingleton(settings.Sandbox)
            .AddSingleton(settings.Mcp);

    private static RunServices CreateRunServices(IServiceProvider it)
    {
        var environment = it.GetRequiredService<DefinitionEnvironment>();
        return new RunServices(Store(it).Checkpoints, it.GetRequiredService<IEventStream>(), it.GetRequiredService<TimeProvider>())
        {
            Keeper = it.GetService<LeaseKeeper>(),
            UnknownOutcome = it.GetRequiredService<ServerSettings>().UnknownOutcome,
            Prices = environment.Prices,
            Budgets = Store(it).Budgets,
            Interrupts = Store(it).Interrupts,
            Models = it.GetRequiredService<ModelGates>(),
        };
    }

    private static ThreadStore Store(IServiceProvider services) => services.GetRequiredService<ThreadStore>();
}
