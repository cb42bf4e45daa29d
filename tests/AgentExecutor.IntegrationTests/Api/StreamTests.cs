using System.Net;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Crash;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>A thread's events over HTTP, as those who watch see them.</summary>
public sealed class StreamTests(ApiFixture api)
{
    [Fact]
    public async Task Events_come_in_the_form_of_the_standard_and_end_with_the_run()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id, Jobs.Writer));

        using var reader = await EventReader.OpenAsync(server.Http, id);
        var told = await reader.RestAsync();

        Assert.Equal("text/event-stream", reader.ContentHeaders.ContentType?.ToString());
        Assert.Equal("no-cache, no-transform", reader.Headers.NonValidated["Cache-Control"].ToString());
        Assert.Equal("no", Assert.Single(reader.Headers.GetValues("X-Accel-Buffering")));
        Assert.False(reader.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal([$": events of {id}", "retry: 1000", ""], reader.Lines.Take(3));
        Assert.Equal($"id: {told[0].Id}", reader.Lines[3]);
        Assert.Equal($"event: {told[0].Type}", reader.Lines[4]);
        Assert.Equal($"data: {told[0].Data}", reader.Lines[5]);
        Assert.Equal("", reader.Lines[6]);
        Assert.Equal("end", told[^1].Type);
        Assert.Equal("completed", told[^1].Said.GetProperty("status").GetString());
        AssertInOrder(told);
        Assert.All(told, it => Assert.Equal((it.Id, it.Type), (it.Json.GetProperty("seq").GetInt64(), it.Json.GetProperty("event_type").GetString())));
        Assert.Equal(
            ["on_tool_start", "on_tool_end", "end"], told.Where(it => it.IsLogged && it.Type != "on_state_update").Select(it => it.Type));
    }

    [Fact]
    public async Task What_was_seen_last_counts_for_more_than_what_the_address_says()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id, Jobs.Writer));
        var all = (await EventReader.AllAsync(server.Http, id)).Where(it => it.IsLogged).ToList();
        Assert.InRange(all.Count, 4, 100);

        Assert.Equal(all[2..], await EventReader.AllAsync(server.Http, id, after: all[1].Id));
        foreach (var after in (long[])[0, all[^1].Id!.Value])
        {
            using var resumed = await EventReader.OpenAsync(server.Http, EventReader.Request(EventReader.Path(id, after), ("Last-Event-ID", $"{all[0].Id}")));
            Assert.Equal($": events of {id} after {all[0].Id}", await resumed.LineAsync());
            Assert.Equal(all[1..], await resumed.RestAsync());
        }
    }

    [Fact]
    public async Task Who_has_seen_all_of_a_run_that_has_ended_is_sent_away_for_good()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id));
        var last = (await EventReader.AllAsync(server.Http, id))[^1].Id;

        foreach (var request in (HttpRequestMessage[])[
            EventReader.Request(EventReader.Path(id, last)), EventReader.Request(EventReader.Path(id, last + 1000)), EventReader.Request(EventReader.Path(id), ("Last-Event-ID", $"{last}"))])
        {
            Assert.Empty((await server.SendAsync(request)).AssertStatus(HttpStatusCode.NoContent).Body);
        }
        Assert.Equal("end", Assert.Single(await EventReader.AllAsync(server.Http, id, last - 1)).Type);
        using var socket = await SocketReader.OpenAsync(server.Http, id, last);
        Assert.Empty(await socket.ToEndAsync());
    }

    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.0")]
    [InlineData("%201")]
    [InlineData("99999999999999999999")]
    public async Task A_number_that_is_none_is_refused_and_named(string number)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id));

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
    public async Task A_thread_that_is_not_there_cannot_be_watched()
    {
        var server = await api.ServerAsync();

        (await server.GetAsync("/threads/nobody/events")).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        (await server.GetAsync("/threads/a%20b/events")).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
        var refused = await Assert.ThrowsAsync<SocketReader.RefusedException>(() => SocketReader.OpenAsync(server.Http, "nobody"));
        Assert.Equal(HttpStatusCode.NotFound, refused.Status);
    }

    [Fact]
    public async Task Whoever_comes_in_mid_run_gets_what_others_got_from_the_start()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data(id, CrashDefinition.Team(tool.Url)));
        using var first = await EventReader.OpenAsync(server.Http, id);
        var seen = await first.UntilAsync("on_tool_start");
        await Fleet.EventuallyAsync(() => Task.FromResult(tool.Calls.Count == 2)); // in the middle of it, and it stays there

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
        AssertInOrder(seen);
        Assert.Contains(seen, it => it.Type == "on_llm_stream");
        // Afterwards the chunks are gone, and all else reads as it was told.
        Assert.Equal(seen.Where(it => it.IsLogged), (await EventReader.AllAsync(server.Http, id)).Where(it => it.IsLogged));
    }

    [Fact]
    public async Task The_last_state_before_the_end_is_whole()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        await server.PostAsync("/", Jobs.Data(id, CrashDefinition.Team(tool.Url, delayMs: 0)));

        var told = await EventReader.AllAsync(server.Http, id);

        Assert.Equal("end", told[^1].Type);
        var final = Assert.Single(told, it => it.Type == "on_state_update" && it.Said.GetProperty("final").GetBoolean() && !it.Said.TryGetProperty("ns", out _));
        Assert.Equal(final, told[^2]);
        var messages = final.Said.GetProperty("messages").EnumerateArray().ToList();
        Assert.Equal("hello", messages[0].GetProperty("content").GetString());
        Assert.Equal(CrashDefinition.Answer, messages[^1].GetProperty("content").GetString());
        Assert.Equal(["/alpha.md", "/beta.md"], final.Said.GetProperty("files").EnumerateObject().Select(file => file.Name).Order());
        Assert.Equal("count", Assert.Single(final.Said.GetProperty("todos").EnumerateArray()).GetProperty("content").GetString());
    }

    [Fact]
    public async Task What_sub_agents_tell_carries_their_namespace()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        await server.PostAsync("/", Jobs.Data(id, CrashDefinition.Team(tool.Url, delayMs: 0)));

        var told = await EventReader.AllAsync(server.Http, id);

        foreach (var name in (string[])["alpha", "beta"])
        {
            var own = told.Where(it => it.Said.TryGetProperty("agent", out var agent) && agent.GetString() == name).ToList();
            Assert.Contains(own, it => it.Type == "on_tool_start" && it.Said.GetProperty("name").GetString() == "count");
            Assert.Single(own.Select(it => it.Said.GetProperty("ns").GetString()).Distinct());
        }
        Assert.All(told.Where(it => it.Said.TryGetProperty("agent", out var agent) && agent.GetString() == "lead"), it => Assert.False(it.Said.TryGetProperty("ns", out _)));
        Assert.Contains(told, it => it.Type == "on_state_update" && it.Said.TryGetProperty("ns", out _));
    }

    [Fact]
    public async Task A_run_that_asks_a_person_ends_its_stream_and_goes_on_in_it_with_the_answer()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        await server.PostAsync("/", Jobs.Data(id, Jobs.Asking(tool.Url)));
        var asked = await EventReader.AllAsync(server.Http, id);
        Assert.Equal(["on_interrupt", "end"], asked.TakeLast(2).Select(it => it.Type));
        Assert.Equal("interrupted", asked[^1].Said.GetProperty("status").GetString());
        Assert.Equal("Go on?", Find(asked[^2].Said.GetProperty("interrupts")[0], "question"));
        (await server.GetAsync(EventReader.Path(id, asked[^1].Id))).AssertStatus(HttpStatusCode.NoContent);
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;

        (await server.PostAsync($"/threads/{id}/resume", """{"answer": "yes"}""")).AssertStatus(HttpStatusCode.Accepted);
        using var later = await EventReader.OpenAsync(server.Http, id, asked[^1].Id);
        using var whole = await EventReader.OpenAsync(server.Http, id);
        using var socket = await SocketReader.OpenAsync(server.Http, id);
        await Fleet.EventuallyAsync(() => Task.FromResult(!tool.Calls.IsEmpty));
        gate.SetResult();

        var rest = await later.RestAsync();
        Assert.Equal("completed", rest[^1].Said.GetProperty("status").GetString());
        Assert.Equal([.. asked, .. rest], await whole.RestAsync());
        Assert.Equal([.. asked, .. rest], await socket.ToEndAsync());
        Assert.Equal([.. asked, .. rest], await EventReader.AllAsync(server.Http, id));
        AssertInOrder([.. asked, .. rest]);
    }

    [Fact]
    public async Task A_run_that_fails_says_why_and_ends()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id, Jobs.Failing));

        var told = await EventReader.AllAsync(server.Http, id);

        Assert.Equal(["on_error", "end"], told.TakeLast(2).Select(it => it.Type));
        Assert.Contains("no such thing", told[^2].Said.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("failed", told[^1].Said.GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("/threads/{0}/events")]
    [InlineData("/deepagents-runtime/stream/{0}")]
    public async Task Other_methods_are_answered_as_at_other_routes(string route)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id));
        var path = string.Format(System.Globalization.CultureInfo.InvariantCulture, route, id);

        (await server.PostAsync(path, "{}")).AssertProblem(HttpStatusCode.MethodNotAllowed, "method_not_allowed");
        var options = await server.SendAsync(new HttpRequestMessage(HttpMethod.Options, path));
        options.AssertStatus(HttpStatusCode.NoContent);
        Assert.Equal(["GET", "HEAD", "OPTIONS"], options.ContentHeaders.Allow.Order(StringComparer.Ordinal));
        var head = await server.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
        Assert.Empty(head.Body);
        Assert.Equal(
            route.Contains("events", StringComparison.Ordinal) ? (HttpStatusCode.OK, "text/event-stream") : (HttpStatusCode.UpgradeRequired, "application/problem+json"),
            (head.Status, head.ContentHeaders.ContentType?.ToString()));
    }

    internal static void AssertInOrder(IEnumerable<Told> told)
    {
        var ids = told.Select(it => it.Id!.Value).ToList();
        Assert.Equal(ids.Order().Distinct(), ids);
    }

    private static string? Find(JsonElement json, string name) =>
        json.TryGetProperty(name, out var found) ? found.GetString() : json.GetProperty("value").TryGetProperty(name, out found) ? found.GetString() : null;
}
