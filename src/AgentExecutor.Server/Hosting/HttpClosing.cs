using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.Hosting;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// Stops the web server within a time limit, so that a client that does not read its response cannot delay the shutdown. Before that,
/// requests that wait for a job are answered with the URL at which its result will be available.
/// </summary>
internal sealed class HttpClosing(IServer server, ServiceGate gate, TimeProvider time) : IHostedService
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await gate.StopWaitingAsync();
        using var limit = new CancellationTokenSource(Limit, time);
        await server.StopAsync(limit.Token); // the framework stops it a second time later, which has no effect
    }
}
