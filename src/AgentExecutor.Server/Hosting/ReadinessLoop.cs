using Microsoft.Extensions.Hosting;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// Probes the servers that this process depends on. It starts before the store is opened, and stops after the web server.
/// </summary>
internal sealed class ReadinessLoop(Readiness readiness) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => readiness.RunAsync(stoppingToken);
}
