using System.Diagnostics;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NATS.Client.Core;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>Members that the tests of the NATS adapter share.</summary>
public abstract class NatsTest
{
    protected static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected static NatsLink Open(NatsSettings settings, ILogger? log = null) =>
        new(settings, TimeProvider.System, log ?? NullLogger.Instance);

    protected static IEventBus OpenBus(NatsServer server, BusSettings? bus = null) => OpenBus(server.Settings(), bus);

    private protected static IEventBus OpenBus(NatsSettings settings, BusSettings? bus = null, LogLines? log = null)
    {
#pragma warning disable CA2000 // The factory holds no resources.
        ILoggerFactory loggers = log is null ? NullLoggerFactory.Instance : new LogLinesFactory(log);
#pragma warning restore CA2000
        return AdapterCatalog.OpenNatsBus(settings, bus ?? new BusSettings(), isClient: false, TimeProvider.System, loggers);
    }

    private protected static async Task ConnectAsync(NatsLink link) =>
        await link.UseAsync(async cancel => await link.Connection.PingAsync(cancel), Cancellation).WaitAsync(Limit);

    protected static async Task<NatsException> FaultOf(Func<Task> act) =>
        await Assert.ThrowsAnyAsync<NatsException>(() => act().WaitAsync(Limit));

    /// <summary>
    /// Retries transient faults, as callers of the bus do. The servers of a new cluster may need half a minute until they accept a stream.
    /// </summary>
    protected static async Task<T> Retried<T>(Func<Task<T>> act)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return await act();
            }
            catch (Exception fault)
                when (fault is NatsException or TaskCanceledException or FaultException { IsTransient: true } && watch.Elapsed < 3 * Limit)
            {
                await Task.Delay(20, Cancellation);
            }
        }
    }
}
