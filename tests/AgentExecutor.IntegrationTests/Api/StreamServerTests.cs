using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>Watchers at servers with special settings.</summary>
public sealed class StreamServerTests
{
    [Fact]
    public async Task Heartbeats_are_sent_while_there_are_no_events()
    {
        await using var server = await ApiServer.StartWithAsync(("STREAM_HEARTBEAT_SECONDS", "0.2"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url)));
        using var socket = await SocketReader.OpenAsync(server.Http, "one");
        using var reader = await EventReader.OpenAsync(server.Http, "one");

        var seen = await reader.UntilAsync("on_tool_start");
        var quiet = Stopwatch.StartNew();
        while (reader.Lines.Count(line => line == ": heartbeat") < 3)
        {
            Assert.NotNull(await reader.LineAsync());
            Assert.InRange(quiet.Elapsed.TotalSeconds, 0, 60);
        }
        gate.SetResult();

        seen.AddRange(await reader.RestAsync());
        Assert.Equal("end", seen[^1].Type);
        Assert.Equal(seen, await socket.ToEndAsync()); // The pings were not answered meanwhile, which the server tolerates for some time.
    }

    [Fact]
    public async Task In_values_mode_every_state_update_is_complete()
    {
        await using var server = await ApiServer.StartWithAsync(("STREAM_STATE", "values"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Team(tool.Url, delayMs: 0)));
        using var live = await EventReader.OpenAsync(server.Http, "one");
        gate.SetResult();

        var received = await live.RestAsync();

        var counts = received
            .Where(it => it.Type == "on_state_update" && !it.Payload.TryGetProperty("ns", out _))
            .Select(it => it.Payload.GetProperty("messages").GetArrayLength())
            .ToList();
        Assert.Equal(counts.Order(), counts);
        Assert.InRange(counts.Count, 5, 100);
        Assert.All(
            received.Where(it => it.Type == "on_state_update" && !it.Payload.TryGetProperty("ns", out _)),
            it => Assert.Equal("hello", it.Payload.GetProperty("messages")[0].GetProperty("content").GetString())
        );
        Assert.Equal(received.Where(it => it.IsLogged), (await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged));
    }

    [Fact]
    public async Task A_watcher_over_the_limit_is_told_to_retry_later()
    {
        await using var server = await ApiServer.StartWithAsync(("STREAM_MAX_WATCHERS", "2"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url)));
        using var first = await EventReader.OpenAsync(server.Http, "one");
        using (await SocketReader.OpenAsync(server.Http, "one"))
        {
            var refused = await server.GetAsync(EventReader.Path("one"));
            refused.AssertProblem(HttpStatusCode.ServiceUnavailable, "stream_unavailable");
            Assert.Equal(TimeSpan.FromSeconds(5), refused.Headers.RetryAfter?.Delta);
            var socket = await Assert.ThrowsAsync<SocketReader.RefusedException>(() => SocketReader.OpenAsync(server.Http, "one"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, socket.Status);
            Assert.Equal("running", (await server.StateAsync("one")).Text("status"));
        }

        // When one watcher has left, another is admitted.
        await Wait.UntilAsync(async () =>
            (await server.SendAsync(new HttpRequestMessage(HttpMethod.Head, EventReader.Path("one")))).Status == HttpStatusCode.OK
        );
        gate.SetResult();
        Assert.Equal("end", (await first.RestAsync())[^1].Type);
    }

    [Fact]
    public async Task A_service_that_shuts_down_notifies_its_watchers_and_ends_in_time()
    {
        await using var server = await ApiServer.StartWithAsync(("GRACE_SECONDS", "1"));
        using var tool = new CountingServer();
        tool.Gate = new TaskCompletionSource().Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url, "idempotent")));
        using var reader = await EventReader.OpenAsync(server.Http, "one");
        using var socket = await SocketReader.OpenAsync(server.Http, "one");
        using var deaf = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one"))); // does not answer the close
        await reader.UntilAsync("on_tool_start");

        await server.Process.SignalAsync("TERM");

        var received = await reader.RestAsync();
        Assert.Equal((null, "closed"), (received[^1].Id, received[^1].Type));
        Assert.Equal("stopping", received[^1].Json.GetProperty("reason").GetString());
        await socket.RestAsync();
        Assert.Equal((WebSocketCloseStatus)1012, socket.Socket.CloseStatus);
        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode);
        server.AssertNoError();

        // The next process continues after the last event.
        tool.Gate = Task.CompletedTask;
        await server.StartAgainAsync();
        var after = received[^1].Json.GetProperty("after").GetInt64();
        var rest = await EventReader.AllAsync(server.Http, "one", after);
        Assert.Equal("end", rest[^1].Type);
        WatchedEvents.AssertInOrder([.. received[..^1], .. rest]);
        Assert.Equal(
            (await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged && it.Id > after),
            rest.Where(it => it.IsLogged)
        );
    }

    [Fact]
    public async Task Watchers_that_disconnect_cause_no_errors_and_leave_nothing_behind()
    {
        await using var server = await ApiServer.StartWithAsync(("STREAM_MAX_WATCHERS", "30"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url)));

        for (var round = 0; round < 10; round++)
        {
            using var cut = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
            using var cutSocket = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one")));
            using var closed = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
            foreach (var watcher in (RawWatcher[])[cut, cutSocket, closed])
            {
                await watcher.ReadUntilAsync("on_tool_start");
            }
            cut.Cut();
            cutSocket.Cut();
            // This watcher leaves before it gets a response.
            using var hasty = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
            hasty.Cut();
        }
        // All have left if as many watchers are admitted again.
        using var stays = await EventReader.OpenAsync(server.Http, "one");
        await Wait.UntilAsync(async () =>
        {
            var readers = new List<EventReader>();
            try
            {
                while (readers.Count < 29)
                {
                    readers.Add(await EventReader.OpenAsync(server.Http, "one"));
                }
                return true;
            }
            catch (Xunit.Sdk.XunitException)
            {
                return false; // 503
            }
            finally
            {
                readers.ForEach(reader => reader.Dispose());
            }
        });
        gate.SetResult();

        Assert.Equal("end", (await stays.RestAsync())[^1].Type);
        await server.UntilAsync("one", "completed");
        server.AssertNoError();
        Assert.Equal(0, await ExitCodeAsync(server));
        server.AssertNoError();
    }

    [Fact]
    public async Task Watchers_are_counted_when_they_connect_and_not_in_the_request_durations()
    {
        await using var server = await ApiServer.StartWithAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url)));
        using var reader = await EventReader.OpenAsync(server.Http, "one");
        using var socket = await SocketReader.OpenAsync(server.Http, "one");
        using var left = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
        await left.ReadUntilAsync("on_tool_start");
        left.Cut();
        await server.GetAsync(SocketReader.Path("one"));

        async Task AssertCountedAsync()
        {
            var metrics = (await server.GetAsync("/metrics")).Body;
            Assert.Contains(
                "requests_total{endpoint=\"/threads/{thread_id}/events\",method=\"GET\",status=\"200\"} 2\n",
                metrics,
                StringComparison.Ordinal
            );
            Assert.Contains(
                "requests_total{endpoint=\"/deepagents-runtime/stream/{thread_id}\",method=\"GET\",status=\"101\"} 1\n",
                metrics,
                StringComparison.Ordinal
            );
            Assert.Contains(
                "requests_total{endpoint=\"/deepagents-runtime/stream/{thread_id}\",method=\"GET\",status=\"426\"} 1\n",
                metrics,
                StringComparison.Ordinal
            );
            Assert.Contains(
                "duration_seconds_count{endpoint=\"/threads/{thread_id}/events\",method=\"GET\"} 2\n",
                metrics,
                StringComparison.Ordinal
            );
        }

        await AssertCountedAsync();
        gate.SetResult();
        await reader.RestAsync();
        await socket.ToEndAsync();
        await server.UntilAsync("one", "completed");
        await AssertCountedAsync();
    }

    [Fact]
    public async Task A_number_beyond_the_last_event_waits_only_for_the_end()
    {
        await using var server = await ApiServer.StartWithAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url)));
        using var reader = await EventReader.OpenAsync(server.Http, "one", after: 1_000_000_000);
        using var socket = await SocketReader.OpenAsync(server.Http, "one", after: 1_000_000_000);
        gate.SetResult();

        Assert.Equal("end", (await reader.RestAsync())[^1].Type);
        Assert.Equal("end", (await socket.ToEndAsync())[^1].Type);
    }

    private static async Task<int> ExitCodeAsync(ApiServer server)
    {
        await server.Process.SignalAsync("TERM");
        return (await server.Process.EndAsync()).ExitCode;
    }
}
