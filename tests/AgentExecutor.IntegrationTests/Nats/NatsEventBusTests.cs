using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Messaging;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>A server of each test's own: the names of the streams and their subjects are fixed.</summary>
public sealed class NatsEventBusTests : EventBusContract
{
    private NatsServer? _server;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    protected override async ValueTask<IEventBus> MakeAsync()
    {
        NatsFixture.SkipWithout();
        _server = await NatsServer.StartOwnAsync();
        return AdapterCatalog.OpenNatsBus(_server.Settings(), Settings, isClient: false, TimeProvider.System, NullLoggerFactory.Instance);
    }
}
