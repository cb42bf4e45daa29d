using System.Diagnostics;
using System.Net;
using AgentExecutor.Adapters;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class StatusTests(ApiFixture api)
{
    private static readonly string[] Names =
    [
        "agent_executor_jobs_total",
        "agent_executor_job_duration_seconds",
        "agent_executor_nats_messages_processed_total",
        "agent_executor_nats_messages_failed_total",
        "agent_executor_redis_publish_total",
        "agent_executor_redis_publish_errors_total",
        "agent_executor_db_connection_errors_total",
        "agent_executor_http_requests_total",
        "agent_executor_http_request_duration_seconds",
        "agent_executor_model_calls_total",
        "agent_executor_model_tokens_total",
        "agent_executor_tool_calls_total",
        "agent_executor_checkpoint_commits_total",
        "agent_executor_checkpoint_commit_seconds",
        "agent_executor_jobs_in_flight",
        "agent_executor_stream_events_dropped_total",
        "agent_executor_runnable_jobs",
        "agent_executor_oldest_job_wait_seconds",
        "agent_executor_free_slots",
        "agent_executor_rescues_total",
        "agent_executor_outbox_lag_seconds",
        "agent_executor_dead_letters_total",
        "agent_executor_dependency_up",
    ];

    [Fact]
    public async Task The_service_reports_that_it_is_alive_and_ready()
    {
        var server = await api.ServerAsync();

        var health = (await server.GetAsync("/health")).AssertStatus(HttpStatusCode.OK);
        var ready = (await server.GetAsync("/ready")).AssertStatus(HttpStatusCode.OK);

        Assert.Equal("healthy", health.Text("status"));
        Assert.Equal(TimeSpan.Zero, health.Json.GetProperty("timestamp").GetDateTimeOffset().Offset);
        Assert.Equal("ready", ready.Text("status"));
        Assert.Equal(
            ["postgres", "dragonfly", "nats"],
            ready.Json.GetProperty("services").EnumerateObject().Where(it => it.Value.GetBoolean()).Select(it => it.Name)
        );
    }

    [Fact]
    public async Task The_metrics_contain_every_name_and_count_requests_by_route()
    {
        await using var server = await ApiServer.StartAsync();
        (await server.PostAsync("/", JobRequests.Data("metered"))).AssertStatus(HttpStatusCode.OK);
        await server.StateAsync("metered");
        await server.StateAsync("metered");
        await server.StateAsync("unmetered");
        await server.GetAsync("/metered/nowhere");
        await server.SendAsync(new HttpRequestMessage(new HttpMethod("METERED"), "/health"));

        var metrics = (await server.GetAsync("/metrics")).AssertStatus(HttpStatusCode.OK);

        Assert.StartsWith("text/plain; version=0.0.4", metrics.ContentHeaders.ContentType?.ToString(), StringComparison.Ordinal);
        Assert.All(Names, name => Assert.Contains($"# TYPE {name} ", metrics.Body, StringComparison.Ordinal));
        Assert.Contains(
            "agent_executor_http_requests_total{endpoint=\"/deepagents-runtime/state/{thread_id}\",method=\"GET\",status=\"200\"} 2\n",
            metrics.Body,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "agent_executor_http_requests_total{endpoint=\"/deepagents-runtime/state/{thread_id}\",method=\"GET\",status=\"404\"} 1\n",
            metrics.Body,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "agent_executor_http_requests_total{endpoint=\"none\",method=\"other\",status=\"405\"} 1\n",
            metrics.Body,
            StringComparison.Ordinal
        );
        Assert.Contains("agent_executor_jobs_total{status=\"completed\"} 1\n", metrics.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("metered", metrics.Body, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task While_the_database_is_unavailable_requests_fail_promptly_and_recover_afterwards()
    {
        PostgresFixture.SkipWithout();
        await using var database = await PostgresServer.StartAsync(alwaysOwn: true);
        var settings = PostgresFixture.Settings(database);
        await AdapterCatalog.MigratePostgresAsync(
            settings,
            null,
            TimeProvider.System,
            NullLoggerFactory.Instance,
            TestContext.Current.CancellationToken
        );
        await using var server = await ApiServer.StartAsync(settings);
        (await server.PostAsync("/", JobRequests.Data("before"))).AssertStatus(HttpStatusCode.OK);

        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        var through = server.PostAsync("/", JobRequests.Data("through", CountingAgents.Once(tool.Url, "idempotent")));
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);

        await database.StopAsync("immediate");

        var watch = Stopwatch.StartNew();
        var refused = await server.PostAsync("/", JobRequests.Data("during"));
        refused.AssertProblem(HttpStatusCode.ServiceUnavailable, "store_unavailable");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 12);
        Assert.Equal(TimeSpan.FromSeconds(5), refused.Headers.RetryAfter?.Delta);
        await Wait.UntilAsync(async () => (await server.GetAsync("/ready")).Status == HttpStatusCode.ServiceUnavailable);
        watch.Restart();
        var ready = await server.GetAsync("/ready");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 0.5);
        Assert.Equal("not_ready", ready.Text("status"));
        Assert.False(ready.Json.GetProperty("services").GetProperty("postgres").GetBoolean());
        (await server.GetAsync("/health")).AssertStatus(HttpStatusCode.OK);
        Reply[] others = await Task.WhenAll(
            server.StateAsync("before"),
            server.GetAsync("/threads/before/history"),
            server.PostAsync("/threads/before/cancel"),
            server.PostAsync("/threads/before/resume")
        );
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 15);
        Assert.All(others, reply => reply.AssertProblem(HttpStatusCode.ServiceUnavailable, "store_unavailable"));

        await database.StartAgainAsync();

        await Wait.UntilAsync(async () => (await server.GetAsync("/ready")).Status == HttpStatusCode.OK);
        (await server.PostAsync("/", JobRequests.Data("during"))).AssertStatus(HttpStatusCode.OK);
        Assert.Equal("completed", (await server.StateAsync("before")).Text("status"));
        gate.SetResult();
        (await through).AssertStatus(HttpStatusCode.OK); // The caller that waited gets its result.
    }

    [Fact]
    public async Task A_caller_that_disconnects_is_counted_as_499_and_its_job_continues()
    {
        await using var server = await ApiServer.StartAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        using var hangUp = new CancellationTokenSource();
        var waiting = server.Http.PostAsync(
            "/",
            new StringContent(JobRequests.Data("left", CountingAgents.Once(tool.Url)), null, "application/json"),
            hangUp.Token
        );
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);

        await hangUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Wait.UntilAsync(async () =>
            (await server.GetAsync("/metrics")).Body.Contains(
                "agent_executor_http_requests_total{endpoint=\"/\",method=\"POST\",status=\"499\"} 1\n",
                StringComparison.Ordinal
            )
        );
        gate.SetResult();
        await server.UntilAsync("left", "completed");
        Assert.Equal(1, tool.Calls.Values.Sum());
    }
}
