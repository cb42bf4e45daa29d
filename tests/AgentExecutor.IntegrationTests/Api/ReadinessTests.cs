using System.Diagnostics;
using System.Net;
using System.Text.Json;
using AgentExecutor.Adapters;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class ReadinessTests(PostgresFixture postgres, NatsFixture nats)
{
    private const string Nowhere = "127.0.0.1:1";

    [Fact]
    public async Task The_service_reports_a_missing_schema_and_becomes_ready_once_the_schema_exists()
    {
        var settings = PostgresFixture.Settings(await postgres.ServerAsync()) with { Schema = $"missing_{nats.Name()}" };
        await using var server = await ApiServer.StartUnreadyAsync(
            settings,
            new Dictionary<string, string>
            {
                ["NATS_URL"] = (await nats.ServerAsync()).Url,
                ["NATS_STREAM_NAME"] = settings.Schema,
                ["AGENT_EXECUTOR_NATS_MANAGE_STREAMS"] = "true",
            }
        );

        var ready = await UntilReadyAsync(
            server,
            it => Up(it, "nats") && Reason(it, "postgres")!.Contains("agent-executor migrate", StringComparison.Ordinal),
            HttpStatusCode.ServiceUnavailable
        );
        Assert.False(Up(ready, "postgres"));
        Assert.Contains(settings.Schema, Reason(ready, "postgres"), StringComparison.Ordinal);
        Assert.Null(Reason(ready, "nats"));
        Assert.Null(server.Message("Ready"));

        await AdapterCatalog.MigratePostgresAsync(
            settings,
            null,
            TimeProvider.System,
            NullLoggerFactory.Instance,
            TestContext.Current.CancellationToken
        );

        ready = await UntilReadyAsync(server, it => Up(it, "postgres"), HttpStatusCode.OK);
        Assert.False(ready.TryGetProperty("reasons", out _));
        await Wait.UntilAsync(() => server.Message("Ready") is not null);
    }

    [Fact]
    public async Task The_service_is_not_ready_while_NATS_is_unavailable()
    {
        await using var server = await ApiServer.StartUnreadyAsync(
            null,
            new Dictionary<string, string> { ["NATS_URL"] = $"nats://{Nowhere}" }
        );

        var ready = await UntilReadyAsync(server, it => Up(it, "postgres"), HttpStatusCode.ServiceUnavailable);

        Assert.False(Up(ready, "nats"));
        Assert.NotNull(Reason(ready, "nats"));
        await Wait.UntilAsync(() => server.Message("The service is not ready yet and waits for nats: ") is not null);
        Assert.Null(server.Message("Ready"));
        Assert.Contains(
            "agent_executor_dependency_up{dependency=\"nats\"} 0\n",
            (await server.GetAsync("/metrics")).Body,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "agent_executor_dependency_up{dependency=\"postgres\"} 1\n",
            (await server.GetAsync("/metrics")).Body,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task The_service_is_ready_without_Redis_and_reports_that_Redis_is_unavailable()
    {
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["REDIS_URL"] = $"redis://{Nowhere}" });

        var ready = await UntilReadyAsync(
            server,
            it => Reason(it, "dragonfly")?.Contains("live events", StringComparison.Ordinal) is true,
            HttpStatusCode.OK
        );

        Assert.False(Up(ready, "dragonfly"));
        Assert.Contains(Nowhere, Reason(ready, "dragonfly"), StringComparison.Ordinal);
        (await server.PostAsync("/", JobRequests.Data("one"))).AssertStatus(HttpStatusCode.OK);
    }

    [Fact]
    public async Task After_the_first_signal_the_service_is_not_ready_but_serves_until_a_second_signal()
    {
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["SHUTDOWN_DELAY_SECONDS"] = "600" });

        await server.Process.SignalAsync("TERM");

        var ready = await UntilReadyAsync(server, it => Reason(it, "service") is not null, HttpStatusCode.ServiceUnavailable);
        Assert.Contains("shuts down", Reason(ready, "service"), StringComparison.Ordinal);
        Assert.True(Up(ready, "postgres"));
        (await server.GetAsync("/health")).AssertStatus(HttpStatusCode.OK);
        (await server.PostAsync("/", JobRequests.Data("during"))).AssertStatus(HttpStatusCode.OK);

        await server.Process.SignalAsync("INT");

        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task The_service_shuts_down_after_the_configured_delay()
    {
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["SHUTDOWN_DELAY_SECONDS"] = "1.5" });
        var watch = Stopwatch.StartNew();

        await server.Process.SignalAsync("TERM");

        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode);
        Assert.InRange(watch.Elapsed.TotalSeconds, 1.4, 60);
    }

    private static async Task<JsonElement> UntilReadyAsync(ApiServer server, Func<JsonElement, bool> holds, HttpStatusCode status)
    {
        Reply? reply = null;
        await Wait.UntilAsync(
            async () => (reply = await server.GetAsync("/ready")).Status == status && holds(reply.Json),
            () => Task.FromResult($"{reply?.Status}: {reply?.Body}")
        );
        return reply!.Json;
    }

    private static bool Up(JsonElement ready, string service) => ready.GetProperty("services").GetProperty(service).GetBoolean();

    private static string? Reason(JsonElement ready, string service) =>
        ready.TryGetProperty("reasons", out var reasons) && reasons.TryGetProperty(service, out var reason) ? reason.GetString() : null;
}
