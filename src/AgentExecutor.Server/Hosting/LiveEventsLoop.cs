using AgentExecutor.Core.Streaming;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>Delivers the events of runs to watchers. When the loop stops, their streams are closed.</summary>
internal sealed class LiveEventsLoop(ServiceGate gate, TimeProvider time, ILogger<LiveEvents> logger)
    : ServiceLoop("live events", gate, time, logger)
{
    protected override Task RunAsync(Service service, CancellationToken stoppingToken) => service.Live.RunAsync(stoppingToken);
}
