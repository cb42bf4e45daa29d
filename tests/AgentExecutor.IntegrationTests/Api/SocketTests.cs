using System.Net;
using System.Net.WebSockets;
using System.Text;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>The events of a thread over a WebSocket.</summary>
public sealed class SocketTests(ApiFixture api)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_frame_contains_what_a_server_sent_event_contains()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Writer));
        var all = await EventReader.AllAsync(server.Http, id);

        using var socket = await SocketReader.OpenAsync(server.Http, id);
        Assert.Equal(all, await socket.ToEndAsync());
        Assert.Equal("the run has ended", socket.Socket.CloseStatusDescription);
        using var later = await SocketReader.OpenAsync(server.Http, id, all[1].Id);
        Assert.Equal(all[2..], await later.ToEndAsync());
    }

    [Fact]
    public async Task A_request_that_is_no_WebSocket_handshake_is_answered_with_426()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id));

        var reply = await server.GetAsync(SocketReader.Path(id));

        reply.AssertProblem(HttpStatusCode.UpgradeRequired, "upgrade_required");
        Assert.Equal("websocket", reply.Headers.Upgrade.ToString());
        Assert.Contains($"/threads/{id}/events", reply.Text("hint"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_of_another_host_is_refused()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id));

        foreach (var origin in (string[])["https://elsewhere.example", "null", "http://127.0.0.1:1"])
        {
            var refused = await Assert.ThrowsAsync<SocketReader.RefusedException>(() =>
                SocketReader.OpenAsync(server.Http, id, origin: origin)
            );
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
    public async Task An_allowed_origin_may_watch_and_read_the_answer()
    {
        const string Named = "https://app.example.com";
        await using var server = await ApiServer.StartAsync(
            null,
            new Dictionary<string, string> { ["AGENT_EXECUTOR_HTTP_ALLOWED_ORIGINS"] = $"https://x.example, {Named}" }
        );
        await server.PostAsync("/", JobRequests.Data("one"));

        using var socket = await SocketReader.OpenAsync(server.Http, "one", origin: Named);
        Assert.Equal("end", (await socket.ToEndAsync())[^1].Type);
        using var reader = await EventReader.OpenAsync(server.Http, EventReader.Request(EventReader.Path("one"), ("Origin", Named)));
        Assert.Equal(Named, Assert.Single(reader.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Equal("Origin", reader.Headers.Vary.ToString());
        var unknown = await server.SendAsync(EventReader.Request(EventReader.Path("nobody"), ("Origin", Named)));
        unknown.AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        // Without this header the page cannot read the error.
        Assert.Equal(Named, Assert.Single(unknown.Headers.GetValues("Access-Control-Allow-Origin")));
        var another = await server.SendAsync(EventReader.Request(EventReader.Path("one"), ("Origin", "https://other.example.com")));
        another.AssertProblem(HttpStatusCode.Forbidden, "origin_refused");
    }

    [Fact]
    public async Task A_close_from_the_client_is_answered_while_many_events_are_sent()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, JobRequests.Chatty(chunks: 4000, chunkDelayMs: 1)));
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
    public async Task Messages_from_a_watcher_are_ignored()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, CountingAgents.Once(tool.Url)));
        using var socket = await SocketReader.OpenAsync(server.Http, id);
        using var reader = await EventReader.OpenAsync(server.Http, id);

        await socket.Socket.SendAsync(Encoding.UTF8.GetBytes("""{"please": "stop"}"""), WebSocketMessageType.Text, true, Cancel);
        await socket.Socket.SendAsync(new byte[200_000], WebSocketMessageType.Binary, true, Cancel);
        await socket.Socket.SendAsync(new byte[10], WebSocketMessageType.Binary, false, Cancel);
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);
        gate.SetResult();

        Assert.Equal(await reader.RestAsync(), await socket.RestAsync());
        await server.UntilAsync(id, "completed");
    }

    [Fact]
    public async Task An_invalid_frame_disconnects_only_the_watcher_that_sent_it()
    {
        await using var server = await ApiServer.StartAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url)));
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
