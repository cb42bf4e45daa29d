using AgentExecutor.Core.Jobs;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>Finds the results of the jobs that requests wait for.</summary>
internal sealed class ResultWaitLoop(ServiceGate gate, TimeProvider time, ILogger<OutcomeWaiters> logger)
    : ServiceLoop("result waits", gate, time, logger)
{
    protected override Task RunAsync(Service service, CancellationToken stoppingToken) => service.Waiters.RunAsync(stoppingToken);
}
