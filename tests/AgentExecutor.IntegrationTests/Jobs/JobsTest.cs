using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>A NATS server, a worker that takes jobs from it, and a bus that sends jobs and reads results.</summary>
public abstract class JobsTest(PostgresFixture postgres) : IAsyncLifetime
{
    private protected NatsServer Nats { get; private set; } = null!;

    protected JobBus Bus { get; private set; } = null!;

    protected Fleet Fleet { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        NatsFixture.SkipWithout();
        var settings = await postgres.SchemaAsync();
        Nats = await NatsServer.StartOwnAsync();
        Bus = new JobBus(Nats);
        Fleet = Fleet.Start(settings, await postgres.ServerAsync(), workers: 1, Nats);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Fleet.DisposeAsync();
        await Bus.DisposeAsync();
        await Nats.DisposeAsync();
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected string Counting(int delayMs = 0) =>
        CountingAgents
            .Once(Fleet.Tool.Url, "idempotent")
            .Replace("{\"text\"", $"{{\"delay_ms\": {delayMs}, \"text\"", StringComparison.Ordinal);

    /// <summary>Waits until no message waits or is unacknowledged.</summary>
    protected async Task AssertNothingIsLeftAsync() => await Wait.UntilAsync(async () => await ConsumerState.LeftAsync(Nats) == 0);
}
