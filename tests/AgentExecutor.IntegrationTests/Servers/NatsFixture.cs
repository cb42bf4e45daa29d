using AgentExecutor.IntegrationTests.Servers;

[assembly: AssemblyFixture(typeof(NatsFixture))]

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>One server for the whole run of the tests, started by the first that needs it; each test has names of its own.</summary>
public sealed class NatsFixture : IAsyncDisposable
{
    private readonly Lazy<Task<NatsServer>> _server = new(NatsServer.StartAsync);
    private int _names;

    public Task<NatsServer> ServerAsync()
    {
        SkipWithout();
        return _server.Value;
    }

    /// <summary>A name for a stream or the first token of subjects, met nowhere else.</summary>
    public string Name() => $"t{Environment.ProcessId}_{Interlocked.Increment(ref _names)}";

    /// <summary>Skips the test where nats-server is missing; with <c>CI</c> set that is a failure.</summary>
    public static void SkipWithout()
    {
        if (NatsServer.Missing is { } reason)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariables().Contains("CI"), reason);
            Assert.Fail(reason);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated)
        {
            await (await _server.Value).DisposeAsync();
        }
    }
}
