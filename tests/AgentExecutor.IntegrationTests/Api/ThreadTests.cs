using System.Diagnostics;
using System.Net;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class ThreadTests(ApiFixture api, PostgresFixture postgres)
{
    [Fact]
    public async Task An_invoked_job_is_started_and_its_state_can_be_read()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());

        var reply = await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, JobRequests.Writer));

        reply.AssertStatus(HttpStatusCode.OK);
        Assert.Equal($$"""{"thread_id":"{{id}}","status":"started"}""", reply.Body);
        var state = await server.UntilAsync(id, "completed");
        Assert.Equal(id, state.GetProperty("thread_id").GetString());
        Assert.Equal("written", state.GetProperty("result").GetProperty("output").GetString());
        Assert.Equal("hi", state.GetProperty("generated_files").GetProperty("/a.md").GetProperty("content").GetString());
        Assert.False(state.TryGetProperty("error", out _));
        Assert.Equal(
            reply.Body,
            (await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, JobRequests.Writer)))
                .AssertStatus(HttpStatusCode.OK)
                .Body
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"job_id": ""}""")]
    public async Task An_invalid_job_is_not_invoked(string body) =>
        (await (await api.ServerAsync()).PostAsync("/deepagents-runtime/invoke", body)).AssertProblem(
            HttpStatusCode.BadRequest,
            "invalid_event"
        );

    [Fact]
    public async Task An_interrupted_job_resumes_with_the_answer()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var job = JobRequests.Event(id, JobRequests.Asking(tool.Url));

        var asked = await server.PostAsync("/", job, JobRequests.Structured);

        asked.AssertStatus(HttpStatusCode.Accepted);
        Assert.Equal($"/deepagents-runtime/state/{id}", asked.Headers.Location?.ToString());
        var state = await server.UntilAsync(id, "interrupted");
        var question = Assert.Single(state.GetProperty("interrupts").EnumerateArray());
        Assert.Contains("Go on?", question.GetProperty("value").GetRawText(), StringComparison.Ordinal);
        Assert.Equal(asked.Json.GetProperty("interrupts").GetRawText(), state.GetProperty("interrupts").GetRawText());
        Assert.Equal(asked.Body, (await server.PostAsync("/", job, JobRequests.Structured)).AssertStatus(HttpStatusCode.Accepted).Body);

        var resume = $"/threads/{id}/resume";
        var questionId = question.GetProperty("id").GetString();
        foreach (
            var wrong in (string[])
                [
                    "",
                    "{}",
                    "{",
                    "[]",
                    "7",
                    """{"yes": true}""",
                    """{"answers": 1}""",
                    """{"answers": {}}""",
                    "{\"answer\": \"\\ud800\"}",
                    """{"answer": 1, "answers": {}}""",
                    $$$"""{"answers": {"{{{questionId}}}": 1, "{{{questionId}}}": 2}}""",
                    $$$"""{"answers": {"": 1, "{{{questionId}}}": 2}}""",
                ]
        )
        {
            (await server.PostAsync(resume, wrong)).AssertProblem(HttpStatusCode.BadRequest, "invalid_answer");
        }
        (await server.PostAsync(resume, """{"answers": {"another": 1}}""")).AssertProblem(HttpStatusCode.BadRequest, "unknown_interrupt");
        Assert.Equal("interrupted", (await server.StateAsync(id)).Text("status"));

        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        var resumed = await server.PostAsync(resume, $$$"""{"answers": {"{{{questionId}}}": "yes"}}""");
        resumed.AssertStatus(HttpStatusCode.Accepted);
        Assert.Equal($"/deepagents-runtime/state/{id}", resumed.Headers.Location?.ToString());
        (await server.PostAsync(resume, """{"answer": "yes"}""")).AssertProblem(HttpStatusCode.Conflict, "nothing_to_resume");

        // The question is answered, so a repeated job waits for the end and does not return the question.
        var again = server.PostAsync("/", job, JobRequests.Structured);
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);
        Assert.NotSame(again, await Task.WhenAny(again, Task.Delay(TimeSpan.FromMilliseconds(500))));
        gate.SetResult();
        (await again).AssertStatus(HttpStatusCode.OK);
        Assert.False((await server.UntilAsync(id, "completed")).TryGetProperty("interrupts", out _));
        (await server.PostAsync(resume, """{"answer": "yes"}""")).AssertProblem(HttpStatusCode.Conflict, "nothing_to_resume");
        Assert.Equal(1, tool.Calls.Values.Sum());
    }

    [Fact]
    public async Task A_running_job_is_cancelled_in_its_tool_call()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        tool.Gate = new TaskCompletionSource().Task;
        var waiting = server.PostAsync("/", JobRequests.Data(id, CountingAgents.Once(tool.Url)));
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);

        var watch = Stopwatch.StartNew();
        var reply = await server.PostAsync($"/threads/{id}/cancel");

        reply.AssertStatus(HttpStatusCode.Accepted);
        Assert.Equal("cancelling", reply.Text("status"));
        await server.UntilAsync(id, "cancelled");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 5);
        Assert.Equal(id, (await waiting).AssertStatus(HttpStatusCode.OK).Text("job_id"));
        Assert.Equal("cancelled", (await server.PostAsync($"/threads/{id}/cancel")).AssertStatus(HttpStatusCode.OK).Text("status"));
    }

    [Fact]
    public async Task A_job_that_has_ended_cannot_be_cancelled()
    {
        var (server, done, failed) = (await api.ServerAsync(), api.Id(), api.Id());
        await server.PostAsync("/", JobRequests.Data(done));
        await server.PostAsync("/", JobRequests.Data(failed, JobRequests.Failing));

        (await server.PostAsync($"/threads/{done}/cancel")).AssertProblem(HttpStatusCode.Conflict, "nothing_to_cancel");
        (await server.PostAsync($"/threads/{failed}/cancel")).AssertProblem(HttpStatusCode.Conflict, "nothing_to_cancel");
    }

    [Fact]
    public async Task An_interrupted_job_is_cancelled_at_once()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        (await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking("http://127.0.0.1:9/")))).AssertStatus(
            HttpStatusCode.Accepted
        );

        Assert.Equal("cancelled", (await server.PostAsync($"/threads/{id}/cancel")).AssertStatus(HttpStatusCode.OK).Text("status"));

        Assert.Equal("cancelled", (await server.StateAsync(id)).Text("status"));
        (await server.PostAsync($"/threads/{id}/resume", """{"answer": 1}""")).AssertProblem(HttpStatusCode.Conflict, "nothing_to_resume");
        Assert.Equal(
            id,
            (await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking("http://127.0.0.1:9/"))))
                .AssertStatus(HttpStatusCode.OK)
                .Text("job_id")
        );
    }

    [Fact]
    public async Task A_process_that_does_not_run_a_job_can_wait_for_it_and_cancel_it()
    {
        var schema = await postgres.SchemaAsync();
        using var tool = new CountingServer();
        tool.Gate = new TaskCompletionSource().Task;
        await using var worker = await ApiServer.StartAsync(schema);
        await using var other = await ApiServer.StartAsync(schema, null, "--roles", "janitor");

        Assert.Equal(
            "You said hello.",
            (await other.PostAsync("/", JobRequests.Data("first"))).Json.GetProperty("result").GetProperty("output").GetString()
        );
        var waiting = other.PostAsync("/", JobRequests.Data("second", CountingAgents.Once(tool.Url)));
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);
        var watch = Stopwatch.StartNew();
        (await other.PostAsync("/threads/second/cancel")).AssertStatus(HttpStatusCode.Accepted);

        await other.UntilAsync("second", "cancelled");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 5);
        (await waiting).AssertStatus(HttpStatusCode.OK);
        Assert.Equal("cancelled", (await worker.StateAsync("second")).Text("status"));
    }

    [Fact]
    public async Task The_history_lists_the_checkpoints_newest_first()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        (await server.PostAsync("/", JobRequests.Data(id, CountingAgents.Team(tool.Url, delayMs: 0)))).AssertStatus(HttpStatusCode.OK);

        var history = await HistoryAsync("");
        var all = await HistoryAsync("?all=true");

        Assert.Equal(history.Select(Step).OrderDescending(), history.Select(Step));
        Assert.Equal(-1, Step(history[^1]));
        Assert.All(history, it => Assert.Equal("", it.GetProperty("ns").GetString()));
        Assert.True(all.Count > history.Count, "those of sub-agents are there too");
        Assert.Equal(history.Take(2).Select(Id), (await HistoryAsync("?limit=2")).Select(Id));
        Assert.Equal(history.Skip(2).Select(Id), (await HistoryAsync($"?before={Id(history[1])}")).Select(Id));
        Assert.Equal([Id(history[2])], (await HistoryAsync($"?limit=1&before={Id(history[1])}")).Select(Id));
        var ns = all.Select(it => it.GetProperty("ns").GetString()!).First(it => it.Length > 0);
        Assert.All(await HistoryAsync($"?ns={Uri.EscapeDataString(ns)}"), it => Assert.Equal(ns, it.GetProperty("ns").GetString()));
        foreach (var wrong in (string[])["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "all=yes", "before=a%0Ab", "ns=%01"])
        {
            (await server.GetAsync($"/threads/{id}/history?{wrong}")).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
        }

        async Task<List<JsonElement>> HistoryAsync(string query) =>
            [
                .. (await server.GetAsync($"/threads/{id}/history{query}"))
                    .AssertStatus(HttpStatusCode.OK)
                    .Json.GetProperty("checkpoints")
                    .EnumerateArray(),
            ];
        static int Step(JsonElement checkpoint) => checkpoint.GetProperty("step").GetInt32();
        static string Id(JsonElement checkpoint) => checkpoint.GetProperty("checkpoint_id").GetString()!;
    }
}
