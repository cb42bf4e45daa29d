using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>Measures the backlog of the queue, if the store can measure it.</summary>
internal sealed class BacklogLoop(ServiceGate gate, TimeProvider time, ILogger<BacklogSampler> logger)
    : ServiceLoop("backlog", gate, time, logger)
{
    protected override Task RunAsync(Service service, CancellationToken stoppingToken) =>
        service.Store.Queue is IBacklog backlog
            ? new BacklogSampler(backlog, Time).RunAsync(stoppingToken)
            : Task.Delay(Timeout.InfiniteTimeSpan, Time, stoppingToken);
}
