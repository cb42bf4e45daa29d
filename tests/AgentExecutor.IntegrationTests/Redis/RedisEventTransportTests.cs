using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Events;
using AgentExecutor.Core.Events;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Redis;

/// <summary>Each test has its own server, because it is stopped.</summary>
public sealed class RedisEventTransportTests : EventTransportContract
{
    private RedisServer? _server;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    protected override async ValueTask<IEventTransport> MakeAsync()
    {
        RedisFixture.SkipWithout();
        _server = await RedisServer.StartOwnAsync();
        return await JoinAsync();
    }

    protected override ValueTask<IEventTransport> JoinAsync() =>
        ValueTask.FromResult(
            AdapterCatalog.OpenRedisTransport(
                _server!.Settings() with
                {
                    RequestTimeoutSeconds = 0.5,
                },
                Settings,
                TimeProvider.System,
                NullLoggerFactory.Instance
            )
        );

    protected override Task SetConnectedAsync(bool isConnected) => isConnected ? _server!.StartAgainAsync() : _server!.KillAsync();
}
