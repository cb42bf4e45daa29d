using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// A loop of the service that needs the store. It starts when the store is open, and runs until the service stops. If the loop fails, the
/// error is logged, and the loop is restarted after a delay.
/// </summary>
/// <param name="name">The name of the loop in log messages.</param>
/// <param name="gate">Provides the service when its store is open.</param>
/// <param name="time">Measures the delay before a restart.</param>
/// <param name="logger">Receives the errors of the loop.</param>
internal abstract class ServiceLoop(string name, ServiceGate gate, TimeProvider time, ILogger logger) : BackgroundService
{
    protected TimeProvider Time => time;

    protected abstract Task RunAsync(Service service, CancellationToken stoppingToken);

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var service = await gate.WaitUntilOpenAsync(stoppingToken);
        await new RestartedLoop(name, token => RunAsync(service, token), time, logger).RunAsync(stoppingToken);
    }
}
