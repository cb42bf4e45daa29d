using Microsoft.Extensions.Hosting;

namespace AgentExecutor.Server.Metrics;

/// <summary>Seeds the known series after the meter provider has started, and before the other parts of the service start.</summary>
internal sealed class MetricSeeding : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        MetricCatalog.SeedSeries();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
