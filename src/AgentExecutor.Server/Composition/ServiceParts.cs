using AgentExecutor.Adapters;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Streaming;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace AgentExecutor.Server.Composition;

/// <summary>
/// Registers the parts of the service. They are created when they are resolved, and <see cref="StoreOpener"/> resolves those that need the
/// store.
/// </summary>
internal static class ServiceParts
{
    public static IServiceCollection AddServiceParts(
        this IServiceCollection services,
        ServerSettings settings,
        ILoggerFactory loggers,
        Shutdown shutdown
    )
    {
        services.AddEngine(settings, loggers).AddSharedStore(settings).AddBus(settings, isClient: false);
        if (AdapterCatalog.IsNamed(settings.Redis))
        {
            services.AddSingleton(it =>
                AdapterCatalog.OpenRedisTransport(settings.Redis, settings.Stream, it.GetRequiredService<TimeProvider>(), loggers)
            );
        }
        return services
            .AddSingleton(shutdown)
            .AddSingleton<ServiceGate>()
            .AddReadiness()
            .AddSingleton(CreateLiveEvents)
            .AddSingleton<IEventStream>(it => it.GetRequiredService<LiveEvents>())
            .AddSingleton(it => new JobAdmitter(
                it.GetRequiredService<CompiledAgents>(),
                Store(it).Queue!,
                it.GetRequiredService<TimeProvider>()
            ))
            .AddSingleton(it => new OutcomeWaiters(Store(it).Outbox!, it.GetRequiredService<TimeProvider>()))
            .AddSingleton(
                new QuestionLinks(
                    new RequestSigner(settings.SigningKey),
                    settings.Http.PublicUrl,
                    TimeSpan.FromHours(settings.Http.LinkHours)
                )
            )
            .AddSingleton(CreateWorker)
            .AddSingleton(CreateJanitor)
            .AddSingleton<Service>()
            .AddSingleton<Func<Service>>(it => it.GetRequiredService<Service>);
    }

    /// <summary>One health check for each server that the service depends on, and one for the service itself.</summary>
    private static IServiceCollection AddReadiness(this IServiceCollection services)
    {
        services
            .AddSingleton(CreateReadiness)
            .AddHealthChecks()
            .Add(
                new HealthCheckRegistration(
                    ServiceCheck.Name,
                    static it => new ServiceCheck(it.GetRequiredService<ServiceGate>()),
                    failureStatus: null,
                    tags: null
                )
            );
        services.AddSingleton<IConfigureOptions<HealthCheckServiceOptions>>(static it => new ConfigureOptions<HealthCheckServiceOptions>(
            options =>
            {
                foreach (var dependency in it.GetRequiredService<Readiness>().Services)
                {
                    options.Registrations.Add(new HealthCheckRegistration(dependency.Name, dependency, failureStatus: null, tags: null));
                }
            }
        ));
        return services;
    }

    private static Readiness CreateReadiness(IServiceProvider it)
    {
        var settings = it.GetRequiredService<ServerSettings>();
        return new Readiness(
            settings,
            it.GetRequiredService<ServiceGate>(),
            AdapterCatalog.IsNamed(settings.Nats) ? it.GetRequiredService<IEventBus>() : null,
            it.GetService<IEventTransport>(),
            it.GetRequiredService<TimeProvider>(),
            it.GetRequiredService<ILoggerFactory>().CreateLogger("AgentExecutor.Server")
        );
    }

    private static LiveEvents CreateLiveEvents(IServiceProvider it)
    {
        var (store, stream) = (Store(it), it.GetRequiredService<StreamSettings>());
        var replay = new EventReplay(store.Log, store.Watched.Checkpoints, store.Watched.Runs, stream.State);
        return new LiveEvents(
            replay,
            it.GetService<IEventTransport>(),
            stream,
            it.GetRequiredService<TimeProvider>(),
            it.GetRequiredService<ILoggerFactory>().CreateLogger<LiveEvents>()
        );
    }

    private static Worker CreateWorker(IServiceProvider it) =>
        new(
            new WorkerServices(
                Store(it).Queue!,
                Store(it).Outbox!,
                it.GetRequiredService<IEventBus>(),
                it.GetRequiredService<JobAdmitter>(),
                it.GetRequiredService<RunExecutor>(),
                it.GetRequiredService<RunControl>(),
                it.GetRequiredService<LeaseKeeper>(),
                it.GetRequiredService<OutcomeWaiters>(),
                Store(it).Interrupts
            )
            {
                Links = it.GetRequiredService<QuestionLinks>(),
            },
            it.GetRequiredService<WorkerSettings>(),
            it.GetRequiredService<TimeProvider>(),
            it.GetRequiredService<ILoggerFactory>()
        );

    private static Janitor CreateJanitor(IServiceProvider it) =>
        new(
            Store(it).Runs,
            Store(it).Checkpoints,
            Store(it).Retention,
            Store(it).Outbox,
            it.GetRequiredService<TimeProvider>(),
            it.GetRequiredService<ILoggerFactory>().CreateLogger<Janitor>()
        );

    private static ThreadStore Store(IServiceProvider services) => services.GetRequiredService<ThreadStore>();
}
