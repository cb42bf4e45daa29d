using AgentExecutor.IntegrationTests.Support;

[assembly: AssemblyFixture(typeof(ApiFixture))]

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>One service on the embedded store for tests that do not change its settings. Each test has its own job ids.</summary>
public sealed class ApiFixture : IAsyncDisposable
{
    private readonly Lazy<Task<ApiServer>> _server = new(() => ApiServer.StartAsync());
    private int _ids;

    public Task<ApiServer> ServerAsync() => _server.Value;

    public string Id() => $"job-{Interlocked.Increment(ref _ids)}";

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated)
        {
            await (await _server.Value).DisposeAsync();
        }
    }
}
