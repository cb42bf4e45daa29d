using AgentExecutor.IntegrationTests.Servers;

[assembly: AssemblyFixture(typeof(RedisFixture))]

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>One server for the whole run of the tests, started by the first that needs it; each test has names of its own.</summary>
public sealed class RedisFixture : IAsyncDisposable
{
    private readonly Lazy<Task<RedisServer>> _server = new(RedisServer.StartAsync);
    private int _names;

    public Task<RedisServer> ServerAsync()
    {
        SkipWithout();
        return _server.Value;
    }

    /// <summary>A name for a thread, key or channel, met nowhere else.</summary>
    public string Name() => $"t{Environment.ProcessId}_{Interlocked.Increment(ref _names)}";

    /// <summary>Skips the test where redis-server is missing; with <c>CI</c> set that is a failure.</summary>
    public static void SkipWithout()
    {
        if (RedisServer.Missing is { } reason)
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
