using System.Net;
using System.Net.WebSockets;
using System.Text;
using AgentExecutor.IntegrationTests.Crash;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>A thread's events over a WebSocket.</summary>
public sealed class SocketTests(ApiFixture api)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_frame_is_what_server_sent_events_carry()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id, Jobs.Writer));
        var all = await EventReader.AllAsync(server.Http, id);

        using var socket = await SocketReader.OpenAsync(server.Http, id);
        Assert.Equal(all, await socket.ToEndAsync());
        Assert.Equal("the run has ended", socket.Socket.CloseStatusDescription);
        using var later = await SocketReader.OpenAsync(server.Http, id, all[1].Id);
        Assert.Equal(all[2..], await later.ToEndAsync());
    }

    [Fact]
    public async Task What_asks_for_no_WebSocket_is_told_to()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id));

        var reply = await server.GetAsync(SocketReader.Path(id));

        reply.AssertProblem(HttpStatusCode.UpgradeRequired, "upgrade_required");
        Assert.Equal("websocket", reply.Headers.Upgrade.ToString());
        Assert.Contains($"/threads/{id}/events", reply.Text("hint"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_of_another_host_may_not_watch()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", Jobs.Data(id));

        foreach (var origin in (string[])["https://elsewhere.example", "null", "http://127.0.0.1:1"])
        {
            var refused = await Assert.ThrowsAsync<SocketReader.RefusedException>(() => SocketReader.OpenAsync(server.Http, id, origin: origin));
            Assert.Equal(HttpStatusCode.Forbidden, refused.Status);
            var reply = await server.SendAsync(EventReader.Request(EventReader.Path(id), ("Origin", origin)));
            reply.AssertProblem(HttpStatusCode.Forbidden, "origin_refused");
            Assert.False(reply.Headers.Contains("Access-Control-Allow-Origin"));
        }
        var own = server.Http.BaseAddress!.GetLeftPart(UriPartial.Authority);
        using var socket = await SocketReader.OpenAsync(server.Http, id, origin: own);
        Assert.Equal("end", (await socket.ToEndAsync())[^1].Type);
        using var reader = await EventReader.OpenAsync(server.Http, EventReader.Request(EventReader.Path(id), ("Origin", own)));
        Assert.Equal("end", (await reader.RestAsync())[^1].Type);
    }

    [Fact]
    public async Task A_page_that_is_named_may_watch_and_may_read_the_answer()
    {
        const string Named = "https://app.example.com";
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["AGENT_EXECUTOR_HTTP_ALLOWED_ORIGINS"] = $"https://x.example, {Named}" });
        await server.PostAsync("/", Jobs.Data("one"));

        using var socket = await SocketReader.OpenAsync(server.Http, "one", origin: Named);
        Assert.Equal("end", (await socket.ToEndAsync())[^1].Type);
        using var reader = await EventReader.OpenAsync(server.Http, EventReader.Request(EventReader.Path("one"), ("Origin", Named)));
        Assert.Equal(Named, Assert.Single(reader.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Equal("Origin", reader.Headers.Vary.ToString());
        var unknown = await server.SendAsync(EventReader.Request(EventReader.Path("nobody"), ("Origin", Named)));
        unknown.AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        Assert.Equal(Named, Assert.Single(unknown.Headers.GetValues("Access-Control-Allow-Origin"))); // else the page does not see what is wrong
        var another = await server.SendAsync(EventReader.Request(EventReader.Path("one"), ("Origin", "https://other.example.com")));
        another.AssertProblem(HttpStatusCode.Forbidden, "origin_refused");
    }

    [Fact]
    public async Task Whoever_closes_first_is_answered_also_while_much_is_told()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data(id, Jobs.Chatty(chunks: 4000, chunkDelayMs: 1)));
        for (var i = 0; i < 20; i++)
        {
            using var socket = await SocketReader.OpenAsync(server.Http, id);
            Assert.NotNull(await socket.NextAsync());

            await socket.Socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "enough", Cancel).WaitAsync(AgentExecutorProgram.Limit);

            Assert.Equal((WebSocketState.Closed, WebSocketCloseStatus.NormalClosure), (socket.Socket.State, socket.Socket.CloseStatus));
        }
        (await server.PostAsync($"/threads/{id}/cancel")).AssertStatus(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task What_a_watcher_sends_is_not_listened_to()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data(id, CrashDefinition.Once(tool.Url)));
        using var socket = await SocketReader.OpenAsync(server.Http, id);
        using var reader = await EventReader.OpenAsync(server.Http, id);

        await socket.Socket.SendAsync(Encoding.UTF8.GetBytes("""{"please": "stop"}"""), WebSocketMessageType.Text, true, Cancel);
        await socket.Socket.SendAsync(new byte[200_000], WebSocketMessageType.Binary, true, Cancel);
        await socket.Socket.SendAsync(new byte[10], WebSocketMessageType.Binary, false, Cancel);
        await Fleet.EventuallyAsync(() => Task.FromResult(!tool.Calls.IsEmpty));
        gate.SetResult();

        Assert.Equal(await reader.RestAsync(), await socket.RestAsync());
        await server.UntilAsync(id, "completed");
    }

    [Fact]
    public async Task What_is_no_frame_ends_that_watcher_alone()
    {
        await using var server = await ApiServer.StartAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Once(tool.Url)));
        using var other = await SocketReader.OpenAsync(server.Http, "one");
        using var raw = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one")));
        await raw.ReadUntilAsync("\"seq\":1,");

        await raw.SendAsync(Enumerable.Repeat((byte)0xFF, 1000).ToArray());

        await raw.ReadToEndAsync();
        gate.SetResult();
        Assert.Equal("end", (await other.ToEndAsync())[^1].Type);
        Assert.DoesNotContain(server.Process.Lines, line => line.Contains("\"level\":\"error\"", StringComparison.OrdinalIgnoreCase));
    }
}
