using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Redis;

/// <summary>Redis fails and returns. Runs continue meanwhile, and watchers receive the whole log.</summary>
public sealed class RedisOutageTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task While_Redis_is_unavailable_runs_continue_and_watchers_read_the_log(bool hangs)
    {
        await using var site = await StreamSite.CreateAsync(
            postgres,
            ("STREAM_BUFFER_EVENTS", "20"),
            ("REDIS_REQUEST_TIMEOUT_SECONDS", "1"),
            ("REDIS_PING_SECONDS", "0.5")
        );
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var first = Hold(tool);
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", JobRequests.Talking(tool.Url, turns: 3, chunks: 100)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        using var here = await EventReader.OpenAsync(runs.Http, "one");
        var received = await reader.UntilAsync("on_tool_start");
        Assert.NotEmpty(ChunksOf(received, turn: 0));

        await (hangs ? site.Redis.FreezeAsync() : site.Redis.KillAsync());
        await Task.WhenAll(StreamSite.ConnectedAsync(runs, false), StreamSite.ConnectedAsync(watches, false));
        await CallsAsync(tool, 1);
        var second = Hold(tool);
        first.SetResult();
        await CallsAsync(tool, 2); // The run does not wait for Redis at each event.
        received.AddRange(await reader.UntilAsync("on_tool_end"));
        using var during = await EventReader.OpenAsync(watches.Http, "one");
        await Wait.UntilAsync(async () => await LostAsync(runs) > 0);

        await (hangs ? site.Redis.ThawAsync() : site.Redis.StartAgainAsync());
        await Task.WhenAll(StreamSite.ConnectedAsync(runs), StreamSite.ConnectedAsync(watches));
        var third = Hold(tool);
        second.SetResult();
        while (ChunksOf(received, turn: 2).Count < 100)
        {
            received.AddRange(await reader.TakeAsync(1)); // while the run is held
        }
        Assert.Equal("running", (await runs.StateAsync("one")).Text("status"));
        third.SetResult();
        received.AddRange(await reader.RestAsync());

        var whole = await here.RestAsync();
        WatchedEvents.AssertWhole(whole);
        WatchedEvents.AssertLog(
            whole,
            received,
            await socket.ToEndAsync(),
            await during.RestAsync(),
            await EventReader.AllAsync(watches.Http, "one"),
            await EventReader.AllAsync(runs.Http, "one")
        );
        Assert.All((ApiServer[])[runs, watches], AssertLoggedOnce);
    }

    [Fact]
    public async Task Processes_that_start_while_Redis_is_unavailable_work_and_use_it_later()
    {
        await using var site = await StreamSite.CreateAsync(postgres);
        await site.Redis.KillAsync();
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var held = Hold(tool);
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("before", JobRequests.Talking(tool.Url, turns: 1)));
        using (var reader = await EventReader.OpenAsync(watches.Http, "before"))
        {
            held.SetResult();
            var received = await reader.RestAsync();
            WatchedEvents.AssertLog(await EventReader.AllAsync(runs.Http, "before"), received);
        }
        await Task.WhenAll(StreamSite.ConnectedAsync(runs, false), StreamSite.ConnectedAsync(watches, false));
        held = Hold(tool);
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("across", JobRequests.Talking(tool.Url, turns: 2)));
        using var across = await EventReader.OpenAsync(watches.Http, "across");

        await site.Redis.StartAgainAsync();
        await Task.WhenAll(StreamSite.ConnectedAsync(runs), StreamSite.ConnectedAsync(watches));

        await CallsAsync(tool, 2);
        var next = Hold(tool);
        held.SetResult();
        var seen = new List<WatchedEvent>();
        while (ChunksOf(seen, turn: 1).Count < 30)
        {
            seen.AddRange(await across.TakeAsync(1));
        }
        next.SetResult();
        seen.AddRange(await across.RestAsync());
        WatchedEvents.AssertLog(await EventReader.AllAsync(runs.Http, "across"), seen);
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("after", JobRequests.Talking(tool.Url, turns: 1)));
        using var after = await SocketReader.OpenAsync(watches.Http, "after");
        WatchedEvents.AssertWhole(await after.ToEndAsync());
        Assert.All((ApiServer[])[runs, watches], AssertLoggedOnce);
    }

    [Fact]
    public async Task A_process_shuts_down_while_Redis_hangs_and_the_next_one_continues()
    {
        await using var site = await StreamSite.CreateAsync(postgres, ("GRACE_SECONDS", "1"));
        var (stops, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        Hold(tool);
        await stops.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Once(tool.Url, "idempotent")));
        await CallsAsync(tool, 1);
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        await site.Redis.FreezeAsync();

        await stops.Process.SignalAsync("TERM");
        Assert.Equal(0, (await stops.Process.EndAsync()).ExitCode);
        tool.Gate = Task.CompletedTask;
        var next = await site.StartAsync("executor");

        var received = await reader.RestAsync();
        Assert.Equal("completed", received[^1].Payload.GetProperty("status").GetString());
        WatchedEvents.AssertLog(await EventReader.AllAsync(next.Http, "one"), received);
        await site.Redis.ThawAsync();
        await Task.WhenAll(StreamSite.ConnectedAsync(next), StreamSite.ConnectedAsync(watches));
        Assert.DoesNotContain(stops.Process.Lines, line => line.Contains("\"level\":\"ERROR\"", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Holds all calls from now on until the source is completed.</summary>
    private static TaskCompletionSource Hold(CountingServer tool)
    {
        var held = new TaskCompletionSource();
        tool.Gate = held.Task;
        return held;
    }

    /// <summary>Returns when the number of calls was received.</summary>
    private static Task CallsAsync(CountingServer tool, int count) => Wait.UntilAsync(() => tool.Calls.Count == count, seconds: 30);

    private static List<WatchedEvent> ChunksOf(List<WatchedEvent> received, int turn) =>
        received.FindAll(it =>
            it.Type == "on_llm_stream"
            && it.Payload.TryGetProperty("content", out var content)
            && content.GetString()!.StartsWith($"{turn:x2}", StringComparison.Ordinal)
        );

    private static async Task<long> LostAsync(ApiServer process) =>
        await StreamSite.CountAsync(process, "agent_executor_redis_publish_errors_total")
        + await StreamSite.CountAsync(process, "agent_executor_stream_events_dropped_total");

    /// <summary>Asserts that the process logged the outage and its end once, and no error.</summary>
    private static void AssertLoggedOnce(ApiServer process)
    {
        Assert.Single(process.Process.Lines, line => line.Contains("\"event_id\":1140", StringComparison.Ordinal));
        Assert.Single(process.Process.Lines, line => line.Contains("\"event_id\":1141", StringComparison.Ordinal));
        Assert.DoesNotContain(process.Process.Lines, line => line.Contains("\"level\":\"ERROR\"", StringComparison.OrdinalIgnoreCase));
    }
}
