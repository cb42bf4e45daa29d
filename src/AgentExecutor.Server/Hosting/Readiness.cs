using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// Knows whether the service can do its work, and if not, why. The servers that it depends on are probed in the background, each with its
/// own timeout, so <c>/ready</c> does not wait for them. An embedded server is always available.
/// </summary>
internal sealed class Readiness
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ServiceGate _gate;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private bool _wasReady;
    private bool _wasEverReady;
    private string _missing = "";

    /// <param name="settings">The program's settings.</param>
    /// <param name="gate">Contains the service, or the reason why its store is not open.</param>
    /// <param name="nats">The bus on NATS; null if NATS is not configured.</param>
    /// <param name="redis">The transport of live events; null if Redis is not configured.</param>
    /// <param name="time">Measures the interval between two probes.</param>
    /// <param name="logger">Receives the changes of the readiness.</param>
    public Readiness(ServerSettings settings, ServiceGate gate, IEventBus? nats, IEventTransport? redis, TimeProvider time, ILogger logger)
    {
        (_gate, _time, _logger) = (gate, time, logger);
        Services =
        [
            new Dependency("postgres", isNeeded: true, ProbeStoreAsync, time),
            new Dependency("dragonfly", isNeeded: false, cancel => ProbeRedisAsync(settings, redis, cancel), time),
            new Dependency("nats", isNeeded: true, cancel => ProbeNatsAsync(nats, cancel), time),
        ];
    }

    /// <summary>The servers that the service depends on. It accepts jobs without Redis, because live events are best effort.</summary>
    public IReadOnlyList<Dependency> Services { get; }

    public bool IsReady =>
        _gate.Service is not null && !_gate.IsDraining && Services.All(static service => service.IsUp || !service.IsNeeded);

    public Task RunAsync(CancellationToken stopping) => Task.WhenAll(Services.Select(service => RunAsync(service, stopping)));

    /// <summary>Probes all servers now, because a change is expected.</summary>
    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(Services.Select(service => service.ProbeAsync(cancellationToken)));
        Report();
    }

    private async Task RunAsync(Dependency service, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            await service.ProbeAsync(stopping);
            Report();
            await Task.Delay(Interval, _time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Logs when the service becomes ready or is no longer ready, and when other servers become unavailable. If only the reason changes for
    /// which a server is unavailable, nothing is logged.
    /// </summary>
    private void Report()
    {
        if (_gate.IsDraining || _gate.Service is null)
        {
            return; // other classes log the shutdown and the retries to open the store
        }
        lock (_lock)
        {
            var isReady = IsReady;
            var unavailable = isReady ? [] : Services.Where(static it => it.IsNeeded && !it.IsUp).ToList();
            var missing = string.Join(", ", unavailable.Select(static it => it.Name));
            if (isReady && !_wasReady)
            {
                Log.Ready(_logger);
            }
            else if (!isReady && missing != _missing)
            {
                ReportReasons(string.Join("; ", unavailable.Select(static it => $"{it.Name}: {it.Reason}")));
            }
            (_wasReady, _wasEverReady, _missing) = (isReady, _wasEverReady || isReady, missing);
        }
    }

    private void ReportReasons(string reasons)
    {
        if (_wasEverReady)
        {
            Log.NotReady(_logger, reasons);
        }
        else
        {
            Log.NotReadyYet(_logger, reasons);
        }
    }

    private async Task ProbeStoreAsync(CancellationToken cancellationToken)
    {
        if (_gate.Service is not { } service)
        {
            throw new FaultException(FaultCodes.StoreUnavailable, _gate.WaitReason ?? "the store is not open yet");
        }
        await service.Store.Probe(cancellationToken);
    }

    private static async Task ProbeRedisAsync(ServerSettings settings, IEventTransport? redis, CancellationToken cancellationToken)
    {
        if (redis is null or { IsConnected: true })
        {
            return;
        }
        try
        {
            await redis.ConnectedAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            throw new FaultException(
                FaultCodes.StreamUnavailable,
                $"{AdapterCatalog.Describe(settings.Redis)} cannot be reached; jobs are executed, but their live events are only in the log"
            );
        }
    }

    /// <summary>A read connects to the server, and creates the streams if that is allowed.</summary>
    private static async Task ProbeNatsAsync(IEventBus? nats, CancellationToken cancellationToken)
    {
        if (nats is { IsConnected: false })
        {
            await nats.ReadAsync(new BusQuery(BusStream.DeadLetters, 1, HasBodies: false), cancellationToken);
        }
    }
}
