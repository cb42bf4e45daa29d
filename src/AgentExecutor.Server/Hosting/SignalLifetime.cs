using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// Stops the host at SIGTERM or SIGINT, after the delay of <see cref="Shutdown"/>. The lifetimes of the framework stop it at once, so load
/// balancers would have no time to notice that <c>/ready</c> returns 503.
/// </summary>
internal sealed class SignalLifetime(Shutdown shutdown, ServiceGate gate, IHostApplicationLifetime application, ILoggerFactory loggers)
    : IHostLifetime,
        IDisposable
{
    private readonly ILogger _logger = loggers.CreateLogger("AgentExecutor.Server");
    private readonly List<IDisposable> _registrations = [];

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        _registrations.Add(shutdown.Draining.Register(OnDraining));
        _registrations.Add(shutdown.Stopping.Register(application.StopApplication));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _registrations.ForEach(static it => it.Dispose());

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true; // otherwise the runtime ends the process at once
        shutdown.Begin();
    }

    private void OnDraining()
    {
        if (gate.Service is null)
        {
            shutdown.Begin(); // a service that was never ready receives no requests, so the delay is unnecessary
        }
        else if (shutdown.Delay > TimeSpan.Zero)
        {
            Log.Draining(_logger, shutdown.Delay.TotalSeconds);
        }
    }
}
