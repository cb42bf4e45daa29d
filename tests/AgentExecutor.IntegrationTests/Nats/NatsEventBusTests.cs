using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Messaging;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>Each test has its own server, because the names of streams and subjects are fixed.</summary>
public abstract class NatsEventBusTests : EventBusContract
{
    private NatsServer? _server;

    private protected abstract Task<NatsServer> StartAsync();

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    protected override async ValueTask<IEventBus> MakeAsync()
    {
        NatsFixture.SkipWithout();
        _server = await StartAsync();
        return AdapterCatalog.OpenNatsBus(_server.Settings(), Settings, isClient: false, TimeProvider.System, NullLoggerFactory.Instance);
    }
}

/// <summary>Runs the contract with the installed server, which may be an old one.</summary>
public sealed class NatsEventBusOnInstalledServerTests : NatsEventBusTests
{
    private protected override Task<NatsServer> StartAsync() => NatsServer.StartOwnAsync();
}

/// <summary>Runs the contract with the current server.</summary>
public sealed class NatsEventBusOnCurrentServerTests : NatsEventBusTests
{
    private protected override async Task<NatsServer> StartAsync() =>
        await NatsServer.StartOwnAsync(program: await TestTools.NatsServerAsync());
}
