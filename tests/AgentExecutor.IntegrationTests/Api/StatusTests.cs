using System.Diagnostics;
using System.Net;
using AgentExecutor.Adapters;
using AgentExecutor.IntegrationTests.Crash;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class StatusTests(ApiFixture api)
{
    private static readonly string[] Names =
    [
        "agent_executor_jobs_total", "agent_executor_job_duration_seconds", "agent_executor_nats_messages_processed_total", "agent_executor_nats_messages_failed_total",
        "agent_executor_redis_publish_total", "agent_executor_redis_publish_errors_total", "agent_executor_db_connection_errors_total", "agent_executor_http_requests_total",
        "agent_executor_http_request_duration_seconds", "agent_executor_model_calls_total", "agent_executor_model_tokens_total", "agent_executor_tool_calls_total",
        "agent_executor_checkpoint_commits_total", "agent_executor_checkpoint_commit_seconds", "agent_executor_jobs_in_flight", "agent_executor_stream_events_dropped_total",
    ];

    [Fact]
    public async Task It_says_that_it_is_alive_and_ready()
    {
        var server = await api.ServerAsync();

        var health = (await server.GetAsync("/health")).AssertStatus(HttpStatusCode.OK);
        var ready = (await server.GetAsync("/ready")).AssertStatus(HttpStatusCode.OK);

        Assert.Equal("healthy", health.Text("status"));
        Assert.Equal(TimeSpan.Zero, health.Json.GetProperty("timestamp").GetDateTimeOffset().Offset);
        Assert.Equal("ready", ready.Text("status"));
        Assert.Equal(["postgres", "dragonfly", "nats"], ready.Json.GetProperty("services").EnumerateObject().Where(it => it.Value.GetBoolean()).Select(it => it.Name));
    }

    [Fact]
    public async Task The_metrics_have_every_name_and_count_requests_by_route()
    {
        await using var server = await ApiServer.StartAsync();
        (await server.PostAsync("/", Jobs.Data("metered"))).AssertStatus(HttpStatusCode.OK);
        await server.StateAsync("metered");
        await server.StateAsync("metered");
        await server.StateAsync("unmetered");
        await server.GetAsync("/metered/nowhere");
        await server.SendAsync(new HttpRequestMessage(new HttpMethod("METERED"), "/health"));

        var metrics = (await server.GetAsync("/metrics")).AssertStatus(HttpStatusCode.OK);

        Assert.StartsWith("text/plain; version=0.0.4", metrics.ContentHeaders.ContentType?.ToString(), StringComparison.Ordinal);
        Assert.All(Names, name => Assert.Contains($"# TYPE {name} ", metrics.Body, StringComparison.Ordinal));
        Assert.Contains("agent_executor_http_requests_total{endpoint=\"/deepagents-runtime/state/{thread_id}\",method=\"GET\",status=\"200\"} 2\n", metrics.Body, StringComparison.Ordinal);
        Assert.Contains("agent_executor_http_requests_total{endpoint=\"/deepagents-runtime/state/{thread_id}\",method=\"GET\",status=\"404\"} 1\n", metrics.Body, StringComparison.Ordinal);
        Assert.Contains("agent_executor_http_requests_total{endpoint=\"none\",method=\"other\",status=\"405\"} 1\n", metrics.Body, StringComparison.Ordinal);
        Assert.Contains("agent_executor_jobs_total{status=\"completed\"} 1\n", metrics.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("metered", metrics.Body, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task While_the_database_is_away_it_says_so_in_time_and_recovers()
    {
        PostgresFixture.SkipWithout();
        await using var database = await PostgresServer.StartAsync(alwaysOwn: true);
        var settings = PostgresFixture.Settings(database);
        await AdapterCatalog.MigratePostgresAsync(settings, null, TimeProvider.System, NullLoggerFactory.Instance, TestContext.Current.CancellationToken);
        await using var server = await ApiServer.StartAsync(settings);
        (await server.PostAsync("/", Jobs.Data("before"))).AssertStatus(HttpStatusCode.OK);

        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        var through = server.PostAsync("/", Jobs.Data("through", CrashDefinition.Once(tool.Url, "idempotent")));
        await Fleet.EventuallyAsync(() => Task.FromResult(!tool.Calls.IsEmpty));

        await database.StopAsync("immediate");

        var watch = Stopwatch.StartNew();
        var refused = await server.PostAsync("/", Jobs.Data("during"));
        refused.AssertProblem(HttpStatusCode.ServiceUnavailable, "store_unavailable");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 12);
        Assert.Equal(TimeSpan.FromSeconds(5), refused.Headers.RetryAfter?.Delta);
        await Fleet.EventuallyAsync(async () => (await server.GetAsync("/ready")).Status == HttpStatusCode.ServiceUnavailable);
        watch.Restart();
        var ready = await server.GetAsync("/ready");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 0.5);
        Assert.Equal("not_ready", ready.Text("status"));
        Assert.False(ready.Json.GetProperty("services").GetProperty("postgres").GetBoolean());
        (await server.GetAsync("/health")).AssertStatus(HttpStatusCode.OK);
        Reply[] others = await Task.WhenAll(
            server.StateAsync("before"), server.GetAsync("/threads/before/history"), server.PostAsync("/threads/before/cancel"), server.PostAsync("/threads/before/resume"));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 15);
        Assert.All(others, reply => reply.AssertProblem(HttpStatusCode.ServiceUnavailable, "store_unavailable"));

        await database.StartAgainAsync();

        await Fleet.EventuallyAsync(async () => (await server.GetAsync("/ready")).Status == HttpStatusCode.OK);
        (await server.PostAsync("/", Jobs.Data("during"))).AssertStatus(HttpStatusCode.OK);
        Assert.Equal("completed", (await server.StateAsync("before")).Text("status"));
        gate.SetResult();
        (await through).AssertStatus(HttpStatusCode.OK); // who waited has waited through it
    }

    [Fact]
    public async Task A_caller_that_hangs_up_is_counted_as_such_and_its_job_goes_on()
    {
        await using var server = await ApiServer.StartAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        using var hangUp = new CancellationTokenSource();
        var waiting = server.Http.PostAsync("/", new StringContent(Jobs.Data("left", CrashDefinition.Once(tool.Url)), null, "application/json"), hangUp.Token);
        await Fleet.EventuallyAsync(() => Task.FromResult(!tool.Calls.IsEmpty));

        await hangUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Fleet.EventuallyAsync(async () =>
            (await server.GetAsync("/metrics")).Body.Contains("agent_executor_http_requests_total{endpoint=\"/\",method=\"POST\",status=\"499\"} 1\n", StringComparison.Ordinal));
        gate.SetResult();
        await server.UntilAsync("left", "completed");
        Assert.Equal(1, tool.Calls.Values.Sum());
    }
}
