using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sandbox;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>Logs once how programs of definitions are isolated on this machine.</summary>
internal sealed class IsolationReport(SandboxSettings settings, TimeProvider time, ILogger<IsolationReport> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var (description, isEnough) = await AdapterCatalog.CheckSandboxAsync(settings, time, stoppingToken);
            if (isEnough)
            {
                Log.Isolation(logger, description);
            }
            else
            {
                Log.IsolationMissing(logger, settings.Minimum, description);
            }
        }
        catch (OperationCanceledException)
        {
            // The service stops.
        }
    }
}
