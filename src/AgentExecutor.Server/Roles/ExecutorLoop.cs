using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Roles;

/// <summary>
/// The role <see cref="Role.Executor"/>. When it stops, runs have the grace period to reach a checkpoint, and are then returned to the
/// queue.
/// </summary>
internal sealed class ExecutorLoop(ServerSettings settings, ServiceGate gate, TimeProvider time, ILogger<Worker> logger)
    : ServiceLoop("executor", gate, time, logger)
{
    protected override Task RunAsync(Service service, CancellationToken stoppingToken) =>
        service.Worker.RunAsync(TimeSpan.FromSeconds(settings.GraceSeconds), stoppingToken);
}
