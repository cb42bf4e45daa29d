using System.Globalization;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Redis;

/// <summary>Redis carries the events of a process to watchers at other processes, and to other subscribers.</summary>
public sealed class SharedStreamTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_process_that_executes_no_runs_streams_every_event_and_chunk()
    {
        await using var site = await StreamSite.CreateWithPasswordAsync(postgres);
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", JobRequests.Talking(tool.Url, turns: 2)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        using var here = await EventReader.OpenAsync(runs.Http, "one");

        var received = await reader.UntilAsync("on_tool_start");
        Assert.Contains(received, it => it.Type == "on_llm_stream");
        Assert.Equal("running", (await watches.StateAsync("one")).Text("status"));
        gate.SetResult();
        received.AddRange(await reader.RestAsync());

        WatchedEvents.AssertWhole(received);
        Assert.Equal(received, await socket.ToEndAsync());
        Assert.Equal(received, await here.RestAsync());
        // A watcher that connects after the end receives the same events, including chunks, as long as Redis keeps them.
        foreach (var process in (ApiServer[])[watches, runs])
        {
            Assert.Equal(received, await EventReader.AllAsync(process.Http, "one"));
            using var late = await SocketReader.OpenAsync(process.Http, "one", after: 10);
            Assert.Equal(received.Skip(10), await late.ToEndAsync());
        }
        await site.AskAsync("DEL", "langgraph:events:one");
        WatchedEvents.AssertLog(await EventReader.AllAsync(watches.Http, "one"), received);
    }

    [Theory]
    [InlineData("talking", "on_llm_stream on_state_update on_tool_end on_tool_start")]
    [InlineData("failing", "on_error on_state_update")]
    [InlineData("asking", "on_interrupt on_state_update")]
    public async Task Subscribers_and_readers_of_the_stream_receive_the_documented_events_and_all_are_counted(string kind, string types)
    {
        await using var site = await StreamSite.CreateWithPasswordAsync(postgres);
        using var tool = new CountingServer();
        var runs = await site.StartAsync();
        using var cli = site.StartCli("SUBSCRIBE", "langgraph:stream:one");
        Assert.Equal(["subscribe", "langgraph:stream:one", "1"], await LinesAsync(cli));
        await StreamSite.ConnectedAsync(runs);
        await runs.PostAsync(
            "/deepagents-runtime/invoke",
            JobRequests.Data(
                "one",
                kind switch
                {
                    "talking" => JobRequests.Talking(tool.Url, turns: 2),
                    "failing" => JobRequests.Failing,
                    _ => JobRequests.Asking(tool.Url),
                }
            )
        );

        var published = new List<WatchedEvent>();
        while (published.Count == 0 || published[^1].Type != "end")
        {
            var lines = await LinesAsync(cli);
            Assert.Equal(["message", "langgraph:stream:one"], lines[..2]);
            published.Add(Documented(lines[2]));
        }

        WatchedEvents.AssertWhole(published);
        Assert.Equal(
            [.. types.Split(' ').Append("end").Order(StringComparer.Ordinal)],
            published.Select(it => it.Type).Distinct().Order(StringComparer.Ordinal)
        );
        Assert.Equal(published, await EventReader.AllAsync(runs.Http, "one"));
        Assert.Equal(
            published.SelectMany(it => (string[])[$"{it.Id}-0", "event", it.Data]),
            await site.AskAsync("XRANGE", "langgraph:events:one", "-", "+")
        );
        Assert.InRange(int.Parse((await site.AskAsync("TTL", "langgraph:events:one"))[0], CultureInfo.InvariantCulture), 3000, 3600);
        foreach (
            var type in (string[])["on_llm_stream", "on_tool_start", "on_tool_end", "on_state_update", "on_interrupt", "on_error", "end"]
        )
        {
            var count = published.Count(it => it.Type == type);
            await Wait.UntilAsync(async () =>
                await StreamSite.CountAsync(runs, $"agent_executor_redis_publish_total{{event_type=\"{type}\"}}") == count
            );
        }
        Assert.Equal(0, await StreamSite.CountAsync(runs, "agent_executor_redis_publish_errors_total"));
        Assert.Equal(0, await StreamSite.CountAsync(runs, "agent_executor_stream_events_dropped_total"));
        cli.Kill();
    }

    [Fact]
    public async Task An_interrupted_thread_resumes_at_another_process_and_is_streamed_by_a_third()
    {
        await using var site = await StreamSite.CreateAsync(postgres);
        using var tool = new CountingServer();
        var (first, watches) = await site.StartBothAsync();
        await first.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", JobRequests.Asking(tool.Url)));
        using var asking = await EventReader.OpenAsync(watches.Http, "one");
        var asked = await asking.RestAsync();
        Assert.Equal("interrupted", asked[^1].Payload.GetProperty("status").GetString());
        await first.Process.StopAsync();
        var second = await site.StartAsync("executor");

        (await watches.PostAsync("/threads/one/resume", """{"answer": "yes"}""")).AssertStatus(System.Net.HttpStatusCode.Accepted);
        using var going = await EventReader.OpenAsync(watches.Http, "one", asked[^1].Id);
        var rest = await going.RestAsync();

        Assert.Equal("completed", rest[^1].Payload.GetProperty("status").GetString());
        WatchedEvents.AssertLog(await EventReader.AllAsync(second.Http, "one"), asked.Concat(rest));
    }

    [Fact]
    public async Task In_values_mode_every_state_update_is_complete_at_another_process()
    {
        await using var site = await StreamSite.CreateAsync(postgres, ("STREAM_STATE", "values"));
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Team(tool.Url, delayMs: 0)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        gate.SetResult();

        var received = await reader.RestAsync();

        var states = received
            .Where(it => it.Type == "on_state_update" && !it.Payload.TryGetProperty("ns", out _))
            .Select(it => it.Payload.GetProperty("messages"))
            .ToList();
        Assert.All(states, messages => Assert.Equal("hello", messages[0].GetProperty("content").GetString()));
        Assert.Equal(states.Select(messages => messages.GetArrayLength()).Order(), states.Select(messages => messages.GetArrayLength()));
        Assert.InRange(states.Count, 5, 100);
        WatchedEvents.AssertLog(await EventReader.AllAsync(watches.Http, "one"), received); // from Redis first, and then from the log
        await site.AskAsync("DEL", "langgraph:events:one");
        WatchedEvents.AssertLog(await EventReader.AllAsync(watches.Http, "one"), received);
    }

    /// <summary>A message as <c>redis-cli</c> prints it without a terminal: each part on its own line.</summary>
    private static async Task<string[]> LinesAsync(System.Diagnostics.Process cli)
    {
        var lines = new string[3];
        for (var line = 0; line < lines.Length; line++)
        {
            lines[line] = Assert.IsType<string>(
                await cli.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(AgentExecutorProgram.Limit)
            );
        }
        return lines;
    }

    private static WatchedEvent Documented(string message)
    {
        var received = WatchedEvent.Frame(message);
        Assert.Equal(["event_type", "data", "seq", "ts", "attempt"], received.Json.EnumerateObject().Select(it => it.Name));
        Assert.Equal(JsonValueKind.Object, received.Payload.ValueKind);
        Assert.InRange(
            received.Json.GetProperty("ts").GetDateTimeOffset(),
            TimeProvider.System.GetUtcNow().AddMinutes(-5),
            TimeProvider.System.GetUtcNow()
        );
        return received;
    }
}
