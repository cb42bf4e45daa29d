using AgentExecutor.IntegrationTests.Servers;

[assembly: AssemblyFixture(typeof(RedisFixture))]

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>One server for all tests, started by the first that needs it. Each test has its own names.</summary>
public sealed class RedisFixture : IAsyncDisposable
{
    private readonly Lazy<Task<RedisServer>> _server = new(RedisServer.StartAsync);
    private int _names;

    public Task<RedisServer> ServerAsync()
    {
        SkipWithout();
        return _server.Value;
    }

    /// <summary>A unique name for a thread, key or channel.</summary>
    public string Name() => $"t{Environment.ProcessId}_{Interlocked.Increment(ref _names)}";

    /// <summary>Skips the test if redis-server is missing. With <c>CI</c> set, the test fails instead.</summary>
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
