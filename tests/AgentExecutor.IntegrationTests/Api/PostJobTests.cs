using System.Net;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class PostJobTests(ApiFixture api)
{
    [Theory]
    [InlineData("structured")]
    [InlineData("binary")]
    [InlineData("bare")]
    public async Task A_job_is_answered_with_its_result(string mode)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());

        var reply = await (
            mode switch
            {
                "structured" => server.PostAsync("/", JobRequests.Event(id), JobRequests.Structured),
                "binary" => server.PostAsync("/", JobRequests.Data(id), "application/json", JobRequests.Headers),
                _ => server.PostAsync("/", JobRequests.Data(id)),
            }
        );

        reply.AssertStatus(HttpStatusCode.OK);
        Assert.Equal("application/json", reply.ContentHeaders.ContentType?.ToString());
        Assert.Equal(id, reply.Text("job_id"));
        Assert.Equal("You said hello.", reply.Json.GetProperty("result").GetProperty("output").GetString());
        Assert.Equal("completed", reply.Json.GetProperty("result").GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("/", null)]
    [InlineData("/", "text/plain")]
    [InlineData("/deepagents-runtime/invoke", null)]
    [InlineData("/deepagents-runtime/invoke", "application/x-www-form-urlencoded")]
    public async Task A_job_without_a_JSON_content_type_is_not_stored(string path, string? type)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());

        (await server.PostAsync(path, JobRequests.Data(id), type)).AssertProblem(
            HttpStatusCode.UnsupportedMediaType,
            "unsupported_media_type"
        );

        (await server.StateAsync(id)).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
    }

    [Fact]
    public async Task A_batch_is_answered_in_its_order()
    {
        var (server, a, b) = (await api.ServerAsync(), api.Id(), api.Id());

        var reply = await server.PostAsync(
            "/",
            $"[{JobRequests.Event(a, input: "one")}, {JobRequests.Event(b, JobRequests.Failing)}, {JobRequests.Event(a, input: "one")}]",
            JobRequests.Batch
        );

        reply.AssertStatus(HttpStatusCode.OK);
        Assert.Equal([a, b, a], reply.Json.EnumerateArray().Select(it => it.GetProperty("job_id").GetString()));
        Assert.Equal("You said one.", reply.Json[2].GetProperty("result").GetProperty("output").GetString());
        Assert.Equal("model_invalid_request", reply.Json[1].GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task One_invalid_event_rejects_the_batch_and_every_fault_is_reported()
    {
        var (server, good) = (await api.ServerAsync(), api.Id());
        var definition = """
            {"name": "x", "nodes": [{"id": "e", "type": "orchestrator",
              "config": {"tools": ["nothing"], "model": {"provider": "nobody", "model": "e"}}}]}
            """;

        var reply = await server.PostAsync(
            "/",
            $"[{JobRequests.Event(good)}, "
                + $"{JobRequests.EventOf("""{"job_id": " ", "agent_definition": {}}""")}, {JobRequests.Event(api.Id(), definition)}]",
            JobRequests.Batch
        );

        var faults = reply.AssertProblem(HttpStatusCode.BadRequest, "invalid_event");
        Assert.Superset(
            new HashSet<string>
            {
                "[1].data.trace_id",
                "[1].data.job_id",
                "[1].data.agent_definition",
                "[1].data.input_payload",
                "[2].data.agent_definition.nodes[0].config.tools[0]",
            },
            faults.ToHashSet()
        );
        Assert.DoesNotContain(faults, fault => fault.StartsWith("[0]", StringComparison.Ordinal));
        (await server.StateAsync(good)).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
    }

    [Theory]
    [InlineData("respond-async")]
    [InlineData("wait=10, Respond-Async; x=1")]
    public async Task A_caller_that_prefers_an_asynchronous_response_is_answered_at_once(string preference)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;

        var reply = await server.PostAsync(
            "/",
            JobRequests.Event(id, CountingAgents.Once(tool.Url)),
            JobRequests.Structured,
            ("Prefer", preference)
        );

        reply.AssertStatus(HttpStatusCode.Accepted);
        Assert.Equal("respond-async", Assert.Single(reply.Headers.GetValues("Preference-Applied")));
        Assert.Equal($"/deepagents-runtime/state/{id}", reply.Headers.Location?.ToString());
        Assert.Equal("accepted", reply.Text("status"));
        Assert.Equal("running", (await server.GetAsync(reply.Headers.Location!.ToString())).Text("status"));
        gate.SetResult();
        Assert.StartsWith(
            "the tool said: counted",
            (await server.UntilAsync(id, "completed")).GetProperty("result").GetProperty("output").GetString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_batch_is_answered_at_once_on_request()
    {
        var (server, a, b) = (await api.ServerAsync(), api.Id(), api.Id());

        var reply = await server.PostAsync(
            "/",
            $"[{JobRequests.Event(a)}, {JobRequests.Event(b)}]",
            JobRequests.Batch,
            ("Prefer", "respond-async")
        );

        reply.AssertStatus(HttpStatusCode.Accepted);
        Assert.Equal(
            [$"/deepagents-runtime/state/{a}", $"/deepagents-runtime/state/{b}"],
            reply.Json.EnumerateArray().Select(it => it.GetProperty("location").GetString())
        );
        await server.UntilAsync(b, "completed");
    }

    [Fact]
    public async Task A_repeated_job_gets_the_same_answer_without_a_second_run()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var definition = CountingAgents.Once(tool.Url, "idempotent");
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;

        var waiting = Enumerable
            .Range(0, 3)
            .Select(_ => server.PostAsync("/", JobRequests.Event(id, definition), JobRequests.Structured))
            .ToList();
        await server.UntilAsync(id, "running");
        gate.SetResult();
        var replies = await Task.WhenAll(waiting);
        var later = await server.PostAsync("/", JobRequests.Data(id, definition));

        Assert.All(replies, reply => Assert.Equal((HttpStatusCode.OK, later.Body), (reply.Status, reply.Body)));
        Assert.Equal(HttpStatusCode.OK, later.Status);
        Assert.Equal(1, tool.Calls.Values.Sum());
    }

    [Fact]
    public async Task A_different_job_with_the_same_id_is_refused()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        (await server.PostAsync("/", JobRequests.Data(id))).AssertStatus(HttpStatusCode.OK);

        (await server.PostAsync("/", JobRequests.Data(id, input: "something else"))).AssertProblem(HttpStatusCode.Conflict, "job_conflict");
        (await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, JobRequests.Writer))).AssertProblem(
            HttpStatusCode.Conflict,
            "job_conflict"
        );
        (await server.PostAsync("/", JobRequests.Data(id))).AssertStatus(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_job_that_fails_is_answered_with_its_error()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());

        var reply = await server.PostAsync("/", JobRequests.Event(id, JobRequests.Failing), JobRequests.Structured);

        reply.AssertStatus(HttpStatusCode.OK);
        var error = reply.Json.GetProperty("error");
        Assert.Equal("model_invalid_request", error.GetProperty("code").GetString());
        Assert.Contains("no such thing", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.NotEmpty(error.GetProperty("type").GetString()!);
        var state = await server.UntilAsync(id, "failed");
        Assert.Equal(error.GetRawText(), state.GetProperty("error").GetRawText());
        Assert.False(state.TryGetProperty("result", out _));
    }

    [Fact]
    public async Task Every_fault_of_a_definition_is_reported_with_its_path()
    {
        var server = await api.ServerAsync();
        var definition = """
            {"name": "x", "nodes": [{"id": "e", "type": "orchestrator",
              "config": {"tools": ["nothing"], "model": {"provider": "nobody", "model": "e"}}}, {"id": "e", "type": "odd"}]}
            """;

        foreach (var path in (string[])["/", "/deepagents-runtime/invoke"])
        {
            var faults = (await server.PostAsync(path, JobRequests.Data(api.Id(), definition))).AssertProblem(
                HttpStatusCode.BadRequest,
                "invalid_definition"
            );

            Assert.Contains("$.nodes[0].config.tools[0]", faults);
            Assert.Contains(faults, fault => fault.StartsWith("$.nodes[0].config.model", StringComparison.Ordinal));
            Assert.Contains(faults, fault => fault.StartsWith("$.nodes[1]", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("", JobRequests.Structured, "")]
    [InlineData("{", "application/json", "")]
    [InlineData("[]", "application/json", "")]
    [InlineData("[]", JobRequests.Structured, "")]
    [InlineData("{}", JobRequests.Batch, "")]
    [InlineData("{}", "application/json", "trace_id,job_id,agent_definition,input_payload")]
    [InlineData(
        """{"trace_id": " ", "job_id": "a/b", "agent_definition": "{}", "input_payload": {}}""",
        "application/json",
        "trace_id,job_id,agent_definition,input_payload"
    )]
    [InlineData("""{"specversion": "1.0"}""", JobRequests.Structured, "id,source,type,data")]
    [InlineData(
        """[{"specversion": "1.0", "id": "1", "source": "/", "type": "x", "data": {}}]""",
        JobRequests.Batch,
        "[0].type,[0].data.trace_id,[0].data.job_id,[0].data.agent_definition,[0].data.input_payload"
    )]
    public async Task Every_fault_of_an_event_is_reported(string body, string contentType, string faults)
    {
        var server = await api.ServerAsync();

        var reply = await server.PostAsync("/", body, contentType);

        Assert.Equal(
            faults.Split(',').Order(StringComparer.Ordinal),
            reply.AssertProblem(HttpStatusCode.BadRequest, "invalid_event").Order(StringComparer.Ordinal)
        );
        Assert.All(reply.Json.GetProperty("faults").EnumerateArray(), fault => Assert.NotEmpty(fault.GetProperty("hint").GetString()!));
    }

    [Fact]
    public async Task Faults_of_headers_in_binary_mode_are_reported()
    {
        var server = await api.ServerAsync();

        var reply = await server.PostAsync(
            "/",
            JobRequests.Data(api.Id()),
            "application/json",
            ("ce-specversion", "1.0"),
            ("ce-type", "other")
        );

        Assert.Superset(
            new HashSet<string> { "id", "source", "type" },
            reply.AssertProblem(HttpStatusCode.BadRequest, "invalid_event").ToHashSet()
        );
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/cloudevents+avro")]
    [InlineData("application/json; charset=utf-16")]
    public async Task A_body_that_cannot_contain_a_job_is_refused(string contentType)
    {
        var server = await api.ServerAsync();

        Assert.Equal(
            ["Content-Type"],
            (await server.PostAsync("/", JobRequests.Data(api.Id()), contentType)).AssertProblem(
                HttpStatusCode.UnsupportedMediaType,
                "unsupported_media_type"
            )
        );
    }

    [Fact]
    public async Task An_empty_batch_is_answered_with_an_empty_list() =>
        Assert.Equal("[]", (await (await api.ServerAsync()).PostAsync("/", "[]", JobRequests.Batch)).AssertStatus(HttpStatusCode.OK).Body);
}
