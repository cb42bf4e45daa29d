using AgentExecutor.IntegrationTests.Api;
using AgentExecutor.IntegrationTests.Crash;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Streams;

/// <summary>Redis is taken away under real processes and given back: runs do not notice, and who watches gets the whole log.</summary>
public sealed class RedisOutageTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task While_Redis_is_away_runs_go_on_and_watchers_read_the_log_and_then_live_events_again(bool hangs)
    {
        await using var site = await StreamSite.CreateAsync(postgres, ("STREAM_BUFFER_EVENTS", "20"), ("REDIS_REQUEST_TIMEOUT_SECONDS", "1"), ("REDIS_PING_SECONDS", "0.5"));
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var first = Hold(tool);
        await runs.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", Api.Jobs.Talking(tool.Url, turns: 3, chunks: 100)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        using var here = await EventReader.OpenAsync(runs.Http, "one");
        var told = await reader.UntilAsync("on_tool_start");
        Assert.NotEmpty(ChunksOf(told, turn: 0));

        await (hangs ? site.Redis.FreezeAsync() : site.Redis.KillAsync());
        await Task.WhenAll(StreamSite.ConnectedAsync(runs, false), StreamSite.ConnectedAsync(watches, false));
        await CallsAsync(tool, 1);
        var second = Hold(tool);
        first.SetResult();
        await CallsAsync(tool, 2); // it does not wait for Redis, event by event
        told.AddRange(await reader.UntilAsync("on_tool_end"));
        using var during = await EventReader.OpenAsync(watches.Http, "one");
        await Fleet.EventuallyAsync(async () => await LostAsync(runs) > 0);

        await (hangs ? site.Redis.ThawAsync() : site.Redis.StartAgainAsync());
        await Task.WhenAll(StreamSite.ConnectedAsync(runs), StreamSite.ConnectedAsync(watches));
        var third = Hold(tool);
        second.SetResult();
        while (ChunksOf(told, turn: 2).Count < 100)
        {
            told.AddRange(await reader.TakeAsync(1)); // while the run is held
        }
        Assert.Equal("running", (await runs.StateAsync("one")).Text("status"));
        third.SetResult();
        told.AddRange(await reader.RestAsync());

        var whole = await here.RestAsync();
        StreamSite.AssertWhole(whole);
        StreamSite.AssertLog(whole, told, await socket.ToEndAsync(), await during.RestAsync(), await EventReader.AllAsync(watches.Http, "one"), await EventReader.AllAsync(runs.Http, "one"));
        Assert.All((ApiServer[])[runs, watches], AssertSaidOnce);
    }

    [Fact]
    public async Task Processes_that_are_started_while_Redis_is_away_work_and_take_it_up_later()
    {
        await using var site = await StreamSite.CreateAsync(postgres);
        await site.Redis.KillAsync();
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var held = Hold(tool);
        await runs.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("before", Api.Jobs.Talking(tool.Url, turns: 1)));
        using (var reader = await EventReader.OpenAsync(watches.Http, "before"))
        {
            held.SetResult();
            var told = await reader.RestAsync();
            StreamSite.AssertLog(await EventReader.AllAsync(runs.Http, "before"), told);
        }
        await Task.WhenAll(StreamSite.ConnectedAsync(runs, false), StreamSite.ConnectedAsync(watches, false));
        held = Hold(tool);
        await runs.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("across", Api.Jobs.Talking(tool.Url, turns: 2)));
        using var across = await EventReader.OpenAsync(watches.Http, "across");

        await site.Redis.StartAgainAsync();
        await Task.WhenAll(StreamSite.ConnectedAsync(runs), StreamSite.ConnectedAsync(watches));

        await CallsAsync(tool, 2);
        var next = Hold(tool);
        held.SetResult();
        var seen = new List<Told>();
        while (ChunksOf(seen, turn: 1).Count < 30)
        {
            seen.AddRange(await across.TakeAsync(1));
        }
        next.SetResult();
        seen.AddRange(await across.RestAsync());
        StreamSite.AssertLog(await EventReader.AllAsync(runs.Http, "across"), seen);
        await runs.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("after", Api.Jobs.Talking(tool.Url, turns: 1)));
        using var after = await SocketReader.OpenAsync(watches.Http, "after");
        StreamSite.AssertWhole(await after.ToEndAsync());
        Assert.All((ApiServer[])[runs, watches], AssertSaidOnce);
    }

    [Fact]
    public async Task A_process_that_is_asked_to_stop_does_so_though_Redis_hangs_and_the_next_goes_on()
    {
        await using var site = await StreamSite.CreateAsync(postgres, ("GRACE_SECONDS", "1"));
        var (stops, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        Hold(tool);
        await stops.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", CrashDefinition.Once(tool.Url, "idempotent")));
        await CallsAsync(tool, 1);
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        await site.Redis.FreezeAsync();

        await stops.Process.SignalAsync("TERM");
        Assert.Equal(0, (await stops.Process.EndAsync()).ExitCode);
        tool.Gate = Task.CompletedTask;
        var goesOn = await site.StartAsync("executor");

        var told = await reader.RestAsync();
        Assert.Equal("completed", told[^1].Said.GetProperty("status").GetString());
        StreamSite.AssertLog(await EventReader.AllAsync(goesOn.Http, "one"), told);
        await site.Redis.ThawAsync();
        await Task.WhenAll(StreamSite.ConnectedAsync(goesOn), StreamSite.ConnectedAsync(watches));
        Assert.DoesNotContain(stops.Process.Lines, line => line.Contains("\"level\":\"ERROR\"", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Calls from now on wait for it.</summary>
    private static TaskCompletionSource Hold(CountingServer tool)
    {
        var held = new TaskCompletionSource();
        tool.Gate = held.Task;
        return held;
    }

    /// <summary>Returns when so many calls are held or were answered.</summary>
    private static Task CallsAsync(CountingServer tool, int count) => Fleet.EventuallyAsync(() => Task.FromResult(tool.Calls.Count == count), seconds: 30);

    private static List<Told> ChunksOf(List<Told> told, int turn) => told.FindAll(
        it => it.Type == "on_llm_stream" && it.Said.TryGetProperty("content", out var content) && content.GetString()!.StartsWith($"{turn:x2}", StringComparison.Ordinal));

    private static async Task<long> LostAsync(ApiServer process) =>
        await StreamSite.CountAsync(process, "agent_executor_redis_publish_errors_total") + await StreamSite.CountAsync(process, "agent_executor_stream_events_dropped_total");

    /// <summary>That Redis is away, and that it is back; nothing of it is an error.</summary>
    private static void AssertSaidOnce(ApiServer process)
    {
        Assert.Single(process.Process.Lines, line => line.Contains("\"event_id\":1140", StringComparison.Ordinal));
        Assert.Single(process.Process.Lines, line => line.Contains("\"event_id\":1141", StringComparison.Ordinal));
        Assert.DoesNotContain(process.Process.Lines, line => line.Contains("\"level\":\"ERROR\"", StringComparison.OrdinalIgnoreCase));
    }
}
