using AgentExecutor.IntegrationTests.Servers;

[assembly: AssemblyFixture(typeof(NatsFixture))]

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>One server for all tests, started by the first that needs it. Each test has its own names.</summary>
public sealed class NatsFixture : IAsyncDisposable
{
    private readonly Lazy<Task<NatsServer>> _server = new(NatsServer.StartAsync);
    private int _names;

    public Task<NatsServer> ServerAsync()
    {
        SkipWithout();
        return _server.Value;
    }

    /// <summary>A unique name for a stream or the first token of subjects.</summary>
    public string Name() => $"t{Environment.ProcessId}_{Interlocked.Increment(ref _names)}";

    /// <summary>Skips the test if nats-server is missing. With <c>CI</c> set, the test fails instead.</summary>
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
