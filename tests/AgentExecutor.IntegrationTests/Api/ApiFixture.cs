using AgentExecutor.IntegrationTests.Api;

[assembly: AssemblyFixture(typeof(ApiFixture))]

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>One service on the embedded store, for tests that leave it as it is; each has job ids of its own.</summary>
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
