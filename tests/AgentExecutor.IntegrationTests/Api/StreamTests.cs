using System.Net;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>The events of a thread over HTTP, as watchers receive them.</summary>
public sealed class StreamTests(ApiFixture api)
{
    [Fact]
    public async Task Events_have_the_standard_format_and_end_with_the_run()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Writer));

        using var reader = await EventReader.OpenAsync(server.Http, id);
        var received = await reader.RestAsync();

        Assert.Equal("text/event-stream", reader.ContentHeaders.ContentType?.ToString());
        Assert.Equal("no-cache, no-transform", reader.Headers.NonValidated["Cache-Control"].ToString());
        Assert.Equal("no", Assert.Single(reader.Headers.GetValues("X-Accel-Buffering")));
        Assert.False(reader.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal([$": events of {id}", "retry: 1000", ""], reader.Lines.Take(3));
        Assert.Equal($"id: {received[0].Id}", reader.Lines[3]);
        Assert.Equal($"event: {received[0].Type}", reader.Lines[4]);
        Assert.Equal($"data: {received[0].Data}", reader.Lines[5]);
        Assert.Equal("", reader.Lines[6]);
        Assert.Equal("end", received[^1].Type);
        Assert.Equal("completed", received[^1].Payload.GetProperty("status").GetString());
        WatchedEvents.AssertInOrder(received);
        Assert.All(
            received,
            it => Assert.Equal((it.Id, it.Type), (it.Json.GetProperty("seq").GetInt64(), it.Json.GetProperty("event_type").GetString()))
        );
        Assert.Equal(
            ["on_tool_start", "on_tool_end", "end"],
            received.Where(it => it.IsLogged && it.Type != "on_state_update").Select(it => it.Type)
        );
    }

    [Fact]
    public async Task The_Last_Event_ID_header_takes_precedence_over_the_query()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Writer));
        var all = (await EventReader.AllAsync(server.Http, id)).Where(it => it.IsLogged).ToList();
        Assert.InRange(all.Count, 4, 100);

        Assert.Equal(all[2..], await EventReader.AllAsync(server.Http, id, after: all[1].Id));
        foreach (var after in (long[])[0, all[^1].Id!.Value])
        {
            using var resumed = await EventReader.OpenAsync(
                server.Http,
                EventReader.Request(EventReader.Path(id, after), ("Last-Event-ID", $"{all[0].Id}"))
            );
            Assert.Equal($": events of {id} after {all[0].Id}", await resumed.LineAsync());
            Assert.Equal(all[1..], await resumed.RestAsync());
        }
    }

    [Fact]
    public async Task A_client_that_has_received_a_whole_ended_run_is_told_not_to_reconnect()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id));
        var last = (await EventReader.AllAsync(server.Http, id))[^1].Id;

        foreach (
            var request in (HttpRequestMessage[])
                [EventReader.Request(EventReader.Path(id, last)), EventReader.Request(EventReader.Path(id), ("Last-Event-ID", $"{last}"))]
        )
        {
            Assert.Empty((await server.SendAsync(request)).AssertStatus(HttpStatusCode.NoContent).Body);
        }
        Assert.Equal("end", Assert.Single(await EventReader.AllAsync(server.Http, id, last - 1)).Type);
        using var socket = await SocketReader.OpenAsync(server.Http, id, last);
        Assert.Empty(await socket.ToEndAsync());
    }

    [Fact]
    public async Task A_number_beyond_the_thread_restarts_the_stream_at_the_first_event()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Writer));
        var all = (await EventReader.AllAsync(server.Http, id)).Where(it => it.IsLogged).ToList();

        using var seen = await EventReader.OpenAsync(
            server.Http,
            EventReader.Request(EventReader.Path(id), ("Last-Event-ID", $"{all[^1].Id + 1000}"))
        );
        using var socket = await SocketReader.OpenAsync(server.Http, id, all[^1].Id + 1000);

        Assert.Equal(all, (await seen.RestAsync()).Where(it => it.IsLogged));
        Assert.Equal(all, (await socket.ToEndAsync()).Where(it => it.IsLogged));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.0")]
    [InlineData("%201")]
    [InlineData("99999999999999999999")]
    public async Task An_invalid_event_number_is_refused_and_named(string number)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id));

        foreach (var path in (string[])[EventReader.Path(id), SocketReader.Path(id)])
        {
            var after = await server.GetAsync($"{path}?after={number}");
            after.AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
            Assert.StartsWith("after: ", after.Text("detail"), StringComparison.Ordinal);
            var seen = await server.SendAsync(EventReader.Request($"{path}?after=1", ("Last-Event-ID", number)));
            seen.AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
            Assert.StartsWith("Last-Event-ID: ", seen.Text("detail"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_missing_thread_cannot_be_watched()
    {
        var server = await api.ServerAsync();

        (await server.GetAsync("/threads/nobody/events")).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        (await server.GetAsync("/threads/a%20b/events")).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
        var refused = await Assert.ThrowsAsync<SocketReader.RefusedException>(() => SocketReader.OpenAsync(server.Http, "nobody"));
        Assert.Equal(HttpStatusCode.NotFound, refused.Status);
    }

    [Fact]
    public async Task A_client_that_connects_during_a_run_receives_all_its_events()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, CountingAgents.Team(tool.Url)));
        using var first = await EventReader.OpenAsync(server.Http, id);
        var seen = await first.UntilAsync("on_tool_start");
        await Wait.UntilAsync(() => tool.Calls.Count == 2); // The run is held in the middle.

        using var late = await EventReader.OpenAsync(server.Http, id);
        using var socket = await SocketReader.OpenAsync(server.Http, id);
        using var after = await EventReader.OpenAsync(server.Http, id, seen[^1].Id);
        var lateSeen = await late.TakeAsync(seen.Count);
        gate.SetResult();

        seen.AddRange(await first.RestAsync());
        lateSeen.AddRange(await late.RestAsync());
        var joined = seen.Count(it => it.Id <= lateSeen[^1].Id);
        Assert.Equal(seen, lateSeen);
        Assert.Equal(seen.Count, joined);
        Assert.Equal(seen, await socket.ToEndAsync());
        Assert.Equal(seen[seen.FindIndex(it => it.Type == "on_tool_start")..].Skip(1), await after.RestAsync());
        WatchedEvents.AssertInOrder(seen);
        Assert.Contains(seen, it => it.Type == "on_llm_stream");
        // Afterwards the chunks are gone, and all other events are unchanged.
        Assert.Equal(seen.Where(it => it.IsLogged), (await EventReader.AllAsync(server.Http, id)).Where(it => it.IsLogged));
    }

    [Fact]
    public async Task The_last_state_update_before_the_end_is_complete()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        await server.PostAsync("/", JobRequests.Data(id, CountingAgents.Team(tool.Url, delayMs: 0)));

        var received = await EventReader.AllAsync(server.Http, id);

        Assert.Equal("end", received[^1].Type);
        var final = Assert.Single(
            received,
            it => it.Type == "on_state_update" && it.Payload.GetProperty("final").GetBoolean() && !it.Payload.TryGetProperty("ns", out _)
        );
        Assert.Equal(final, received[^2]);
        var messages = final.Payload.GetProperty("messages").EnumerateArray().ToList();
        Assert.Equal("hello", messages[0].GetProperty("content").GetString());
        Assert.Equal(CountingAgents.Answer, messages[^1].GetProperty("content").GetString());
        Assert.Equal(["/alpha.md", "/beta.md"], final.Payload.GetProperty("files").EnumerateObject().Select(file => file.Name).Order());
        Assert.Equal("count", Assert.Single(final.Payload.GetProperty("todos").EnumerateArray()).GetProperty("content").GetString());
    }

    [Fact]
    public async Task Events_of_sub_agents_carry_their_namespace()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        await server.PostAsync("/", JobRequests.Data(id, CountingAgents.Team(tool.Url, delayMs: 0)));

        var received = await EventReader.AllAsync(server.Http, id);

        foreach (var name in (string[])["alpha", "beta"])
        {
            var own = received.Where(it => it.Payload.TryGetProperty("agent", out var agent) && agent.GetString() == name).ToList();
            Assert.Contains(own, it => it.Type == "on_tool_start" && it.Payload.GetProperty("name").GetString() == "count");
            Assert.Single(own.Select(it => it.Payload.GetProperty("ns").GetString()).Distinct());
        }
        Assert.All(
            received.Where(it => it.Payload.TryGetProperty("agent", out var agent) && agent.GetString() == "lead"),
            it => Assert.False(it.Payload.TryGetProperty("ns", out _))
        );
        Assert.Contains(received, it => it.Type == "on_state_update" && it.Payload.TryGetProperty("ns", out _));
    }

    [Fact]
    public async Task An_interrupted_run_ends_its_stream_and_continues_the_numbers_after_the_answer()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking(tool.Url)));
        var asked = await EventReader.AllAsync(server.Http, id);
        Assert.Equal(["on_interrupt", "end"], asked.TakeLast(2).Select(it => it.Type));
        Assert.Equal("interrupted", asked[^1].Payload.GetProperty("status").GetString());
        Assert.Equal("Go on?", Find(asked[^2].Payload.GetProperty("interrupts")[0], "question"));
        (await server.GetAsync(EventReader.Path(id, asked[^1].Id))).AssertStatus(HttpStatusCode.NoContent);
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;

        (await server.PostAsync($"/threads/{id}/resume", """{"answer": "yes"}""")).AssertStatus(HttpStatusCode.Accepted);
        using var later = await EventReader.OpenAsync(server.Http, id, asked[^1].Id);
        using var whole = await EventReader.OpenAsync(server.Http, id);
        using var socket = await SocketReader.OpenAsync(server.Http, id);
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);
        gate.SetResult();

        var rest = await later.RestAsync();
        Assert.Equal("completed", rest[^1].Payload.GetProperty("status").GetString());
        Assert.Equal([.. asked, .. rest], await whole.RestAsync());
        Assert.Equal([.. asked, .. rest], await socket.ToEndAsync());
        Assert.Equal([.. asked, .. rest], await EventReader.AllAsync(server.Http, id));
        WatchedEvents.AssertInOrder([.. asked, .. rest]);
    }

    [Fact]
    public async Task A_failed_run_sends_its_error_and_ends_the_stream()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Failing));

        var received = await EventReader.AllAsync(server.Http, id);

        Assert.Equal(["on_error", "end"], received.TakeLast(2).Select(it => it.Type));
        Assert.Contains("no such thing", received[^2].Payload.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("failed", received[^1].Payload.GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("/threads/{0}/events")]
    [InlineData("/deepagents-runtime/stream/{0}")]
    public async Task Unsupported_methods_are_answered_as_at_other_routes(string route)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id));
        var path = string.Format(System.Globalization.CultureInfo.InvariantCulture, route, id);

        (await server.PostAsync(path, "{}")).AssertProblem(HttpStatusCode.MethodNotAllowed, "method_not_allowed");
        var options = await server.SendAsync(new HttpRequestMessage(HttpMethod.Options, path));
        options.AssertStatus(HttpStatusCode.NoContent);
        Assert.Equal(["GET", "HEAD", "OPTIONS"], options.ContentHeaders.Allow.Order(StringComparer.Ordinal));
        var head = await server.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
        Assert.Empty(head.Body);
        Assert.Equal(
            route.Contains("events", StringComparison.Ordinal)
                ? (HttpStatusCode.OK, "text/event-stream")
                : (HttpStatusCode.UpgradeRequired, "application/problem+json"),
            (head.Status, head.ContentHeaders.ContentType?.ToString())
        );
    }

    private static string? Find(JsonElement json, string name) =>
        json.TryGetProperty(name, out var found) ? found.GetString()
        : json.GetProperty("value").TryGetProperty(name, out found) ? found.GetString()
        : null;
}
