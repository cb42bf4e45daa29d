using System.Net;
using AgentExecutor.Adapters;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Faults;

public sealed class ReadOnlyPostgresTests
{
    [Fact]
    public async Task A_read_only_server_is_reported_and_jobs_are_accepted_once_it_is_writable()
    {
        PostgresFixture.SkipWithout();
        await using var postgres = await PostgresServer.StartAsync(alwaysOwn: true);
        var settings = PostgresFixture.Settings(postgres);
        await AdapterCatalog.MigratePostgresAsync(
            settings,
            null,
            TimeProvider.System,
            NullLoggerFactory.Instance,
            TestContext.Current.CancellationToken
        );
        await using var server = await ApiServer.StartAsync(settings);
        await SetReadOnlyAsync(postgres, "on");

        var refused = default(Reply);
        await Wait.UntilAsync(async () =>
            (refused = await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("a"))).Status != HttpStatusCode.OK
        );

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused!.Status);
        Assert.Contains("read-only", refused.Body, StringComparison.Ordinal);
        await Wait.UntilAsync(async () =>
            await server.GetAsync("/ready") is { Status: HttpStatusCode.ServiceUnavailable } ready
            && ready.Body.Contains("default_transaction_read_only is on", StringComparison.Ordinal)
        );
        await SetReadOnlyAsync(postgres, "off");
        await Wait.UntilAsync(async () => (await server.GetAsync("/ready")).Status == HttpStatusCode.OK);
        await Wait.UntilAsync(async () =>
            (await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("b"))).Status == HttpStatusCode.OK
        );
        await server.UntilAsync("b", "completed");
    }

    private static async Task SetReadOnlyAsync(PostgresServer postgres, string value)
    {
        await postgres.ExecuteAsync($"ALTER SYSTEM SET default_transaction_read_only = {value}");
        await postgres.ExecuteAsync("SELECT pg_reload_conf()");
    }
}
