using AgentExecutor.Adapters;
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
    private Service(App app, IEventBus bus)
    {
        (App, Bus) = (app, bus);
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

    /// <param name="isClient">A command beside the service: it makes no streams.</param>
    /// <exception cref="Core.FaultException">The store cannot be opened.</exception>
    public static async Task<Service> OpenAsync(ServerSettings settings, ILoggerFactory loggers, CancellationToken cancellationToken, bool isClient = false)
    {
        var app = await App.BuildAsync(settings, cancellationToken, loggers: loggers, isShared: true);
        return new Service(app, OpenBus(settings, app, isClient, loggers));
    }

    /// <summary>The bus that the settings name: NATS, else a table of the store.</summary>
    private static IEventBus OpenBus(ServerSettings settings, App app, bool isClient, ILoggerFactory loggers) => AdapterCatalog.IsNamed(settings.Nats)
        ? AdapterCatalog.OpenNatsBus(settings.Nats, settings.Bus, isClient, TimeProvider.System, loggers)
        : AdapterCatalog.IsNamed(settings.Postgres)
            ? AdapterCatalog.OpenPostgresBus(settings.Postgres, settings.Bus, TimeProvider.System, loggers)
            : AdapterCatalog.OpenSqliteBus(app.Store, settings.Bus);

    /// <summary>Takes jobs and runs them until it is asked to stop.</summary>
    public Task WorkAsync(CancellationToken stopping)
    {
        var ackWait = TimeSpan.FromSeconds(App.Settings.Bus.AckWaitSeconds);
        var services = new WorkerServices(Queue, Outbox, Bus, ackWait, Desk, App.Executor, Control, App.Keeper!, Waits);
        return new Worker(services, App.Settings.Worker, TimeProvider.System, App.Loggers).RunAsync(TimeSpan.FromSeconds(App.Settings.GraceSeconds), stopping);
    }

    public async ValueTask DisposeAsync()
    {
        await Bus.DisposeAsync();
        await App.DisposeAsync();
    }
}
