using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server;

/// <summary>What the parts of a serving process share: the program, the bus, and what takes jobs and answers for them.</summary>
public sealed class Service : IAsyncDisposable
{
    private readonly IEventBus? _ownBus;

    private Service(App app, IEventBus? nats, IEventBus? ownBus)
    {
        (App, Bus, _ownBus) = (app, nats ?? ownBus!, ownBus);
        Queue = app.Queue!;
        Outbox = app.Outbox!;
        Desk = new JobDesk(app.Agents, Queue, TimeProvider.System);
        Control = new RunControl(app.Services, app.Runs, Queue, app.Executor);
        Waits = new RunWaits(Outbox, TimeProvider.System);
    }

    public App App { get; }

    public IEventBus Bus { get; }

    public IRunQueue Queue { get; }

    public IOutbox Outbox { get; }

    public JobDesk Desk { get; }

    public RunControl Control { get; }

    public RunWaits Waits { get; }

    /// <summary>What runs tell as they run.</summary>
    public LiveEvents Live => App.Live!;

    /// <summary>The bus on NATS; null where none is named. It connects at its first use.</summary>
    /// <param name="isClient">A command beside the service: it makes no streams.</param>
    public static IEventBus? OpenNats(ServerSettings settings, bool isClient, ILoggerFactory loggers) => AdapterCatalog.IsNamed(settings.Nats)
        ? AdapterCatalog.OpenNatsBus(settings.Nats, settings.Bus, isClient, TimeProvider.System, loggers)
        : null;

    /// <param name="nats">The bus, where it is to be NATS; its owner closes it.</param>
    /// <exception cref="FaultException">The store cannot be opened.</exception>
    public static async Task<Service> OpenAsync(ServerSettings settings, ILoggerFactory loggers, IEventBus? nats, CancellationToken cancellationToken)
    {
        var app = await App.BuildAsync(settings, cancellationToken, loggers: loggers, isShared: true);
        return new Service(app, nats, nats is null ? OpenStoreBus(settings, app, loggers) : null);
    }

    /// <summary>Where no NATS is named: tables of the store.</summary>
    private static IEventBus OpenStoreBus(ServerSettings settings, App app, ILoggerFactory loggers) => AdapterCatalog.IsNamed(settings.Postgres)
        ? AdapterCatalog.OpenPostgresBus(settings.Postgres, settings.Bus, TimeProvider.System, loggers)
        : AdapterCatalog.OpenSqliteBus(app.Store, settings.Bus);

    /// <summary>Connects, and sees that the streams are there; a bus that is away says so itself, and is tried again by whoever uses it.</summary>
    public static async Task ConnectAsync(IEventBus bus, CancellationToken cancellationToken)
    {
        try
        {
            await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 1, HasBodies: false), cancellationToken);
        }
        catch (Exception exception) when (exception is FaultException or OperationCanceledException)
        {
            // see above
        }
    }

    /// <summary>Takes jobs and runs them until it is asked to stop.</summary>
    public Task WorkAsync(CancellationToken stopping)
    {
        var ackWait = TimeSpan.FromSeconds(App.Settings.Bus.AckWaitSeconds);
        var services = new WorkerServices(Queue, Outbox, Bus, ackWait, Desk, App.Executor, Control, App.Keeper!, Waits);
        return new Worker(services, App.Settings.Worker, TimeProvider.System, App.Loggers).RunAsync(TimeSpan.FromSeconds(App.Settings.GraceSeconds), stopping);
    }

    public async ValueTask DisposeAsync()
    {
        if (_ownBus is not null)
        {
            await _ownBus.DisposeAsync();
        }
        await App.DisposeAsync();
    }
}
