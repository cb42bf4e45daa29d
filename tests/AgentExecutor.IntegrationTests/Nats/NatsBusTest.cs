using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>Starts a server for each test, because the names of streams and subjects are fixed.</summary>
public abstract class NatsBusTest : NatsTest, IAsyncLifetime
{
    protected const string Jobs = "AGENT_EXECUTION";
    protected const string Workers = "agent-executor-workers";

    private protected LogLines Log { get; } = new();

    private protected NatsServer Server { get; private set; } = null!;

    private protected JetStreamAdmin JetStream { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Server = await StartAsync();
        JetStream = new JetStreamAdmin(Server);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Server is not null) // null if the test was skipped
        {
            await JetStream.DisposeAsync();
            await Server.DisposeAsync();
        }
    }

    /// <summary>Starts the installed server.</summary>
    private protected virtual Task<NatsServer> StartAsync()
    {
        NatsFixture.SkipWithout();
        return NatsServer.StartOwnAsync();
    }

    protected List<string> Lines(int id) => [.. Log.Lines.Where(line => line.StartsWith($"{id} ", StringComparison.Ordinal))];

    private protected IEventBus OpenBus(NatsSettings? settings = null, bool isClient = false)
    {
#pragma warning disable CA2000 // The factory holds no resources.
        var loggers = new LogLinesFactory(Log);
#pragma warning restore CA2000
        return AdapterCatalog.OpenNatsBus(settings ?? Server.Settings(), new BusSettings(), isClient, TimeProvider.System, loggers);
    }
}
