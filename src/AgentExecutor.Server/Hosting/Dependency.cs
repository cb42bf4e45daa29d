using AgentExecutor.Core;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// A server that the service depends on. It is probed in the background, and its health check returns the result of the last probe.
/// </summary>
/// <param name="name">The name of the server in <c>/ready</c> and in metrics.</param>
/// <param name="isNeeded">False if the service is ready without the server.</param>
/// <param name="probe">Returns if the server can be used, and otherwise throws an exception with the reason.</param>
/// <param name="time">Measures the timeout of a probe.</param>
internal sealed class Dependency(string name, bool isNeeded, Func<CancellationToken, Task> probe, TimeProvider time) : IHealthCheck
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private Task _last = Task.CompletedTask;
    private volatile string? _reason = "it has not been probed yet";

    public string Name => name;

    public bool IsNeeded => isNeeded;

    public bool IsUp => _reason is null;

    /// <summary>Why the server cannot be used; null if it can be used.</summary>
    public string? Reason => _reason;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) =>
        Task.FromResult(
            _reason is not { } reason ? HealthCheckResult.Healthy()
            : isNeeded ? HealthCheckResult.Unhealthy(reason)
            : HealthCheckResult.Degraded(reason)
        );

    /// <summary>Probes the server. Returns when the probe has a result, or after the timeout.</summary>
    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        if (_last.IsCompleted) // a probe that ignores its timeout is not started a second time
        {
            _last = RunProbeAsync(cancellationToken);
        }
        try
        {
            await _last.WaitAsync(Timeout, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            _reason = NoAnswer();
        }
        catch (OperationCanceledException)
        {
            return;
        }
        Telemetry.DependencyUp.Record(IsUp ? 1 : 0, new KeyValuePair<string, object?>("dependency", name));
    }

    private async Task RunProbeAsync(CancellationToken cancellationToken)
    {
        await Task.Yield();
        using var limit = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await probe(either.Token);
            _reason = null;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // the process stops, and the last result remains valid
        }
        catch (OperationCanceledException)
        {
            _reason = NoAnswer();
        }
        catch (FaultException fault)
        {
            _reason = fault.Hint is null ? fault.Message : $"{fault.Message}: {fault.Hint}";
        }
        catch (Exception exception) // whatever the error is, the server cannot be used, and it must be probed again
        {
            _reason = exception.Message;
        }
    }

    private static string NoAnswer() => $"it did not respond within {Timeout.TotalSeconds} seconds";
}
