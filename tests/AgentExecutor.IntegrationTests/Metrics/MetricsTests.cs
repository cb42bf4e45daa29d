using System.Diagnostics;
using System.Net;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Metrics;

public sealed class MetricsTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Jobs_that_wait_in_the_store_are_queued_in_the_metrics_of_every_process(bool isPostgres)
    {
        var settings = isPostgres ? await postgres.SchemaAsync() : null;
        await using var server = await ApiServer.StartAsync(settings, null, "--roles", "janitor");
        foreach (var id in (string[])["a", "b"])
        {
            (await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id))).AssertStatus(HttpStatusCode.OK);
        }

        var state = (await server.StateAsync("a")).AssertStatus(HttpStatusCode.OK);

        Assert.Equal(("running", "queued"), (state.Text("status"), state.Text("phase")));
        await Wait.UntilAsync(async () =>
            (await server.GetAsync("/metrics")).Body.Contains("agent_executor_runnable_jobs 2\n", StringComparison.Ordinal)
        );
        var metrics = (await server.GetAsync("/metrics")).Body;
        Assert.DoesNotContain("agent_executor_oldest_job_wait_seconds 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("agent_executor_outbox_lag_seconds 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("agent_executor_free_slots 0\n", metrics, StringComparison.Ordinal); // The process has no worker.
    }

    [Fact]
    public async Task The_state_of_a_job_that_has_not_ended_contains_its_phase()
    {
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["AGENT_EXECUTOR_WORKER_SLOTS"] = "7" });
        Assert.Contains("agent_executor_free_slots 7\n", (await server.GetAsync("/metrics")).Body, StringComparison.Ordinal);
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("busy", CountingAgents.Once(tool.Url, "idempotent")));
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("asks", JobRequests.Asking(tool.Url)));
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);

        Assert.Equal("waiting", (await server.UntilAsync("asks", "interrupted")).GetProperty("phase").GetString());
        Assert.Equal("running", (await server.UntilAsync("busy", "running")).GetProperty("phase").GetString());
        await Wait.UntilAsync(async () =>
            (await server.GetAsync("/metrics")).Body.Contains("agent_executor_free_slots 6\n", StringComparison.Ordinal)
        );

        gate.SetResult();
        Assert.False((await server.UntilAsync("busy", "completed")).TryGetProperty("phase", out _));
        await Wait.UntilAsync(async () =>
            (await server.GetAsync("/metrics")).Body.Contains("agent_executor_free_slots 7\n", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task No_label_contains_a_name_that_a_caller_chose()
    {
        await using var server = await ApiServer.StartAsync();
        const string Definition = """
            {"name": "chosen-agent",
              "nodes": [{"id": "chosen-node", "type": "orchestrator",
              "config": {"model": {"provider": "scripted", "model": "chosen-model", "script": [
              {"tool_calls": [{"name": "chosen-tool", "args": {}}]}, {"text": "done"}]}}}]}
            """;
        (await server.PostAsync("/", JobRequests.Data("chosen-job", Definition))).AssertStatus(HttpStatusCode.OK);

        var metrics = (await server.GetAsync("/metrics")).Body;

        Assert.Contains(
            "agent_executor_model_calls_total{model=\"other\",outcome=\"succeeded\",provider=\"scripted\"} 2\n",
            metrics,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "agent_executor_model_tokens_total{direction=\"input\",model=\"other\",provider=\"scripted\"} ",
            metrics,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain("chosen", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prometheus_accepts_the_metrics()
    {
        Assert.SkipUnless(
            $"{Environment.GetEnvironmentVariables()["PATH"]}"
                .Split(':')
                .Any(directory => File.Exists(Path.Combine(directory, "promtool"))),
            "promtool is not installed"
        );
        await using var server = await ApiServer.StartAsync();
        (await server.PostAsync("/", JobRequests.Data("one"))).AssertStatus(HttpStatusCode.OK);
        var metrics = (await server.GetAsync("/metrics")).Body;

        using var promtool = Process.Start(
            new ProcessStartInfo("promtool", ["check", "metrics"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        await promtool.StandardInput.WriteAsync(metrics);
        promtool.StandardInput.Close();
        var output =
            await promtool.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)
            + await promtool.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await promtool.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(promtool.ExitCode == 0 && output.Length == 0, output);
    }
}
