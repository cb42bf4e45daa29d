using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Api;
using AgentExecutor.Server.Metrics;
using AgentExecutor.Server.Roles;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;
using Log = AgentExecutor.Server.Roles.Log;

namespace AgentExecutor.Server;

/// <summary>
/// The life of a serving process. HTTP answers first, with "not ready"; then the store is waited for and opened, and the roles begin. When it is asked to stop, no more
/// jobs are taken, what runs is given back, and those who wait are answered, in that order.
/// </summary>
internal sealed class ServiceHost(ServerSettings settings, Role active, ILoggerFactory loggers)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastAnswers = TimeSpan.FromSeconds(2);

    private readonly ILogger _logger = loggers.CreateLogger("AgentExecutor.Server");

    public async Task RunAsync(CancellationToken stopping)
    {
        var isLocal = !AdapterCatalog.IsNamed(settings.Postgres) && !AdapterCatalog.IsNamed(settings.Nats);
        Log.Starting(_logger, typeof(App).Assembly.GetName().Version!.ToString(3), active.ToString().ToLowerInvariant(), StoreName(), BusName(), StreamName());
        using var metrics = new MetricsRegistry();
        using var gate = new ServiceGate(stopping);
        var readiness = new Readiness(gate, TimeProvider.System);
        await using var nats = Service.OpenNats(settings, isClient: false, loggers);
        var connecting = nats is null ? Task.CompletedTask : Service.ConnectAsync(nats, stopping);
        var opening = OpenAsync(nats, stopping); // beside the web server: each takes a while to begin
        await using var http = await HttpServer.StartAsync(settings, isLocal, gate, readiness, metrics, loggers);
        Log.Listening(_logger, http.Url);
        await using var service = await opening;
        if (service is null)
        {
            await connecting;
            return;
        }
        gate.Open(service);
        await readiness.LookAsync(stopping);
        using var stopTelling = new CancellationTokenSource();
        using var stopHelping = new CancellationTokenSource();
        var telling = service.Live.RunAsync(stopTelling.Token);
        var working = Task.WhenAll(Roles(service, stopping));
        var helping = Task.WhenAll(connecting, readiness.RunAsync(stopHelping.Token), Quietly(service.Waits.RunAsync(stopHelping.Token)));
        Log.Ready(_logger);
        await working;
        await gate.LeaveAsync();
        await stopTelling.CancelAsync();
        await telling;
        await http.StopAsync(LastAnswers);
        await stopHelping.CancelAsync();
        await helping;
        gate.Close();
    }

    private IEnumerable<Task> Roles(Service service, CancellationToken stopping)
    {
        if (active.HasFlag(Role.Executor))
        {
            yield return service.WorkAsync(stopping);
        }
        if (active.HasFlag(Role.Janitor))
        {
            var janitor = new Janitor(service.App.Runs, service.App.Services.Checkpoints, service.Outbox, TimeProvider.System, loggers.CreateLogger<Janitor>());
            yield return janitor.RunAsync(settings.Retention, stopping);
        }
    }

    /// <summary>Waits for the server and its schema: pods start in any order. Null where it was asked to stop meanwhile.</summary>
    private async Task<Service?> OpenAsync(IEventBus? nats, CancellationToken stopping)
    {
        await Task.Yield();
        string? told = null;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                return await Service.OpenAsync(settings, loggers, nats, stopping);
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                if (told != fault.Message)
                {
                    told = fault.Message;
                    Log.Waiting(_logger, fault.Hint is null ? told : $"{told} ({fault.Hint})");
                }
                await Task.Delay(Pause, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }
        return null;
    }

    private static async Task Quietly(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private string StoreName() => AdapterCatalog.IsNamed(settings.Postgres) ? AdapterCatalog.Describe(settings.Postgres) : $"the embedded database in {settings.DataDir}";

    private string StreamName() => AdapterCatalog.IsNamed(settings.Redis) ? AdapterCatalog.Describe(settings.Redis) : "this process alone";

    private string BusName() => AdapterCatalog.IsNamed(settings.Nats) ? AdapterCatalog.Describe(settings.Nats) : "a table of the store";
}
