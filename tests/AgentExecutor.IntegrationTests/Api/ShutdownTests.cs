using System.Net;
using AgentExecutor.IntegrationTests.Crash;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class ShutdownTests
{
    [Fact]
    public async Task Who_waits_when_it_stops_is_told_where_to_ask()
    {
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["AGENT_EXECUTOR_GRACE_SECONDS"] = "1" });
        var job = Jobs.Data("one", CrashDefinition.Once(tool.Url, "idempotent"));
        var waiting = server.PostAsync("/", job);
        var batch = server.PostAsync("/", $"[{Jobs.EventOf(job)}, {Jobs.Event("two")}]", Jobs.Batch);
        await Fleet.EventuallyAsync(() => Task.FromResult(!tool.Calls.IsEmpty));
        await server.UntilAsync("two", "completed");

        await server.Process.SignalAsync("TERM");

        var told = await waiting;
        told.AssertStatus(HttpStatusCode.Accepted);
        Assert.Equal("/deepagents-runtime/state/one", told.Headers.Location?.ToString());
        Assert.Equal("accepted", told.Text("status"));
        var both = (await batch).AssertStatus(HttpStatusCode.Accepted).Json;
        Assert.Equal("/deepagents-runtime/state/one", both[0].GetProperty("location").GetString());
        Assert.Equal("You said hello.", both[1].GetProperty("result").GetProperty("output").GetString());
        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode);
        gate.SetResult();
        await server.StartAgainAsync();
        await server.UntilAsync("one", "completed");
    }

    [Fact]
    public async Task It_takes_no_job_once_it_stops()
    {
        using var tool = new CountingServer();
        tool.Gate = new TaskCompletionSource().Task;
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["AGENT_EXECUTOR_GRACE_SECONDS"] = "3" });
        var waiting = server.PostAsync("/", Jobs.Data("one", CrashDefinition.Once(tool.Url, "idempotent")));
        await Fleet.EventuallyAsync(() => Task.FromResult(!tool.Calls.IsEmpty));

        await server.Process.SignalAsync("TERM");
        await Fleet.EventuallyAsync(async () => (await server.GetAsync("/ready")).Status == HttpStatusCode.ServiceUnavailable);

        (await server.PostAsync("/", Jobs.Data("late"))).AssertProblem(HttpStatusCode.ServiceUnavailable, "shutting_down");
        Assert.Equal("running", (await server.StateAsync("one")).Text("status"));
        (await waiting).AssertStatus(HttpStatusCode.Accepted);
    }
}
