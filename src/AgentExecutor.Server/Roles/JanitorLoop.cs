using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Roles;

/// <summary>The role <see cref="Role.Janitor"/>.</summary>
internal sealed class JanitorLoop(RetentionSettings settings, ServiceGate gate, TimeProvider time, ILogger<Janitor> logger)
    : ServiceLoop("janitor", gate, time, logger)
{
    protected override Task RunAsync(Service service, CancellationToken stoppingToken) => service.Janitor.RunAsync(settings, stoppingToken);
}
