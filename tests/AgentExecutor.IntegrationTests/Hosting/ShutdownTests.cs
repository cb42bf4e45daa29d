using System.Net;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Hosting;

public sealed class ShutdownTests
{
    [Fact]
    public async Task A_caller_that_waits_during_shutdown_is_told_where_to_find_the_result()
    {
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await using var server = await ApiServer.StartAsync(
            null,
            new Dictionary<string, string> { ["AGENT_EXECUTOR_GRACE_SECONDS"] = "1" }
        );
        var job = JobRequests.Data("one", CountingAgents.Once(tool.Url, "idempotent"));
        var waiting = server.PostAsync("/", job);
        var batch = server.PostAsync("/", $"[{JobRequests.EventOf(job)}, {JobRequests.Event("two")}]", JobRequests.Batch);
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);
        await server.UntilAsync("two", "completed");

        await server.Process.SignalAsync("TERM");

        var received = await waiting;
        received.AssertStatus(HttpStatusCode.Accepted);
        Assert.Equal("/deepagents-runtime/state/one", received.Headers.Location?.ToString());
        Assert.Equal("accepted", received.Text("status"));
        var both = (await batch).AssertStatus(HttpStatusCode.Accepted).Json;
        Assert.Equal("/deepagents-runtime/state/one", both[0].GetProperty("location").GetString());
        Assert.Equal("You said hello.", both[1].GetProperty("result").GetProperty("output").GetString());
        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode);
        gate.SetResult();
        await server.StartAgainAsync();
        await server.UntilAsync("one", "completed");
    }

    [Fact]
    public async Task The_service_accepts_no_jobs_while_it_shuts_down()
    {
        using var tool = new CountingServer();
        tool.Gate = new TaskCompletionSource().Task;
        await using var server = await ApiServer.StartAsync(
            null,
            new Dictionary<string, string> { ["AGENT_EXECUTOR_GRACE_SECONDS"] = "3" }
        );
        var waiting = server.PostAsync("/", JobRequests.Data("one", CountingAgents.Once(tool.Url, "idempotent")));
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);

        await server.Process.SignalAsync("TERM");
        await Wait.UntilAsync(async () => (await server.GetAsync("/ready")).Status == HttpStatusCode.ServiceUnavailable);

        (await server.PostAsync("/", JobRequests.Data("late"))).AssertProblem(HttpStatusCode.ServiceUnavailable, "shutting_down");
        Assert.Equal("running", (await server.StateAsync("one")).Text("status"));
        (await waiting).AssertStatus(HttpStatusCode.Accepted);
    }
}
