using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using AgentExecutor.IntegrationTests.Crash;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>How a server of its own settings treats those who watch.</summary>
public sealed class StreamServerTests
{
    [Fact]
    public async Task While_there_is_nothing_to_tell_it_shows_that_it_lives()
    {
        await using var server = await StartAsync(("STREAM_HEARTBEAT_SECONDS", "0.2"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Once(tool.Url)));
        using var socket = await SocketReader.OpenAsync(server.Http, "one");
        using var reader = await EventReader.OpenAsync(server.Http, "one");

        var seen = await reader.UntilAsync("on_tool_start");
        for (var quiet = Stopwatch.StartNew(); reader.Lines.Count(line => line == ": still here") < 3;)
        {
            Assert.NotNull(await reader.LineAsync());
            Assert.InRange(quiet.Elapsed.TotalSeconds, 0, 60);
        }
        gate.SetResult();

        seen.AddRange(await reader.RestAsync());
        Assert.Equal("end", seen[^1].Type);
        Assert.Equal(seen, await socket.ToEndAsync()); // nobody answered its pings meanwhile: that is given time
    }

    [Fact]
    public async Task Where_values_are_asked_for_every_state_is_whole()
    {
        await using var server = await StartAsync(("STREAM_STATE", "values"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Team(tool.Url, delayMs: 0)));
        using var live = await EventReader.OpenAsync(server.Http, "one");
        gate.SetResult();

        var told = await live.RestAsync();

        var counts = told.Where(it => it.Type == "on_state_update" && !it.Said.TryGetProperty("ns", out _)).Select(it => it.Said.GetProperty("messages").GetArrayLength()).ToList();
        Assert.Equal(counts.Order(), counts);
        Assert.InRange(counts.Count, 5, 100);
        Assert.All(
            told.Where(it => it.Type == "on_state_update" && !it.Said.TryGetProperty("ns", out _)),
            it => Assert.Equal("hello", it.Said.GetProperty("messages")[0].GetProperty("content").GetString()));
        Assert.Equal(told.Where(it => it.IsLogged), (await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged));
    }

    [Fact]
    public async Task Where_as_many_watch_as_may_the_next_is_told_to_come_again()
    {
        await using var server = await StartAsync(("STREAM_MAX_WATCHERS", "2"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Once(tool.Url)));
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

        // Once one has left there is room.
        await Fleet.EventuallyAsync(async () => (await server.SendAsync(new HttpRequestMessage(HttpMethod.Head, EventReader.Path("one")))).Status == HttpStatusCode.OK);
        gate.SetResult();
        Assert.Equal("end", (await first.RestAsync())[^1].Type);
    }

    [Fact]
    public async Task When_it_stops_it_tells_those_who_watch_and_ends_in_time()
    {
        await using var server = await StartAsync(("GRACE_SECONDS", "1"));
        using var tool = new CountingServer();
        tool.Gate = new TaskCompletionSource().Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Once(tool.Url, "idempotent")));
        using var reader = await EventReader.OpenAsync(server.Http, "one");
        using var socket = await SocketReader.OpenAsync(server.Http, "one");
        using var deaf = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one"))); // answers no close
        await reader.UntilAsync("on_tool_start");

        await server.Process.SignalAsync("TERM");

        var told = await reader.RestAsync();
        Assert.Equal((null, "closed"), (told[^1].Id, told[^1].Type));
        Assert.Equal("stopping", told[^1].Json.GetProperty("reason").GetString());
        await socket.RestAsync();
        Assert.Equal((WebSocketCloseStatus)1012, socket.Socket.CloseStatus);
        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode);
        AssertNoError(server);

        // The next process goes on where they were.
        tool.Gate = Task.CompletedTask;
        await server.StartAgainAsync();
        var after = told[^1].Json.GetProperty("after").GetInt64();
        var rest = await EventReader.AllAsync(server.Http, "one", after);
        Assert.Equal("end", rest[^1].Type);
        StreamTests.AssertInOrder([.. told[..^1], .. rest]);
        Assert.Equal((await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged && it.Id > after), rest.Where(it => it.IsLogged));
    }

    [Fact]
    public async Task Watchers_that_hang_up_are_no_errors_and_leave_nothing_behind()
    {
        await using var server = await StartAsync(("STREAM_MAX_WATCHERS", "30"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Once(tool.Url)));

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
            using var hasty = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one"))); // gone before it is answered
            hasty.Cut();
        }
        // All have left when there is room for as many again.
        using var stays = await EventReader.OpenAsync(server.Http, "one");
        await Fleet.EventuallyAsync(async () =>
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
        AssertNoError(server);
        Assert.Equal(0, await ExitCodeAsync(server));
        AssertNoError(server);
    }

    [Fact]
    public async Task Those_who_watch_are_counted_when_they_come_and_not_by_how_long_they_stay()
    {
        await using var server = await StartAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Once(tool.Url)));
        using var reader = await EventReader.OpenAsync(server.Http, "one");
        using var socket = await SocketReader.OpenAsync(server.Http, "one");
        using var left = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
        await left.ReadUntilAsync("on_tool_start");
        left.Cut();
        await server.GetAsync(SocketReader.Path("one"));

        async Task AssertCountedAsync()
        {
            var metrics = (await server.GetAsync("/metrics")).Body;
            Assert.Contains("requests_total{endpoint=\"/threads/{thread_id}/events\",method=\"GET\",status=\"200\"} 2\n", metrics, StringComparison.Ordinal);
            Assert.Contains("requests_total{endpoint=\"/deepagents-runtime/stream/{thread_id}\",method=\"GET\",status=\"101\"} 1\n", metrics, StringComparison.Ordinal);
            Assert.Contains("requests_total{endpoint=\"/deepagents-runtime/stream/{thread_id}\",method=\"GET\",status=\"426\"} 1\n", metrics, StringComparison.Ordinal);
            Assert.Contains("duration_seconds_count{endpoint=\"/threads/{thread_id}/events\",method=\"GET\"} 2\n", metrics, StringComparison.Ordinal);
        }

        await AssertCountedAsync();
        gate.SetResult();
        await reader.RestAsync();
        await socket.ToEndAsync();
        await server.UntilAsync("one", "completed");
        await AssertCountedAsync();
    }

    [Fact]
    public async Task A_number_beyond_what_was_told_waits_for_no_more_than_the_end()
    {
        await using var server = await StartAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Once(tool.Url)));
        using var reader = await EventReader.OpenAsync(server.Http, "one", after: 1_000_000_000);
        using var socket = await SocketReader.OpenAsync(server.Http, "one", after: 1_000_000_000);
        gate.SetResult();

        await reader.RestAsync();
        await socket.ToEndAsync();
    }

    internal static Task<ApiServer> StartAsync(params (string Name, string Value)[] settings) =>
        ApiServer.StartAsync(null, settings.ToDictionary(it => $"AGENT_EXECUTOR_{it.Name}", it => it.Value));

    internal static void AssertNoError(ApiServer server) =>
        Assert.DoesNotContain(server.Process.Lines, line => line.Contains("\"level\":\"ERROR\"", StringComparison.OrdinalIgnoreCase) || line.Contains("\"level\":\"WARN", StringComparison.OrdinalIgnoreCase));

    private static async Task<int> ExitCodeAsync(ApiServer server)
    {
        await server.Process.SignalAsync("TERM");
        return (await server.Process.EndAsync()).ExitCode;
    }
}
