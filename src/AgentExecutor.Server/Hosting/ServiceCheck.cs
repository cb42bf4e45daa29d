using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AgentExecutor.Server.Hosting;

/// <summary>The health check of the service itself, which is unhealthy until its store is open, and while it drains.</summary>
internal sealed class ServiceCheck(ServiceGate gate) : IHealthCheck
{
    public const string Name = "service";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) =>
        Task.FromResult(
            gate.IsDraining ? HealthCheckResult.Unhealthy("the service shuts down")
            : gate.Service is null ? HealthCheckResult.Unhealthy() // the check of the store has the reason
            : HealthCheckResult.Healthy()
        );
}
