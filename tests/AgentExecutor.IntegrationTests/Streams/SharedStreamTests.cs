using System.Globalization;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Api;
using AgentExecutor.IntegrationTests.Crash;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Streams;

/// <summary>Redis carries what one process runs to those who watch at another, and to whoever else subscribes.</summary>
public sealed class SharedStreamTests(PostgresFixture postgres)
{
    [Fact]
    public async Task At_a_process_that_runs_nothing_every_event_is_seen_chunks_too()
    {
        await using var site = await StreamSite.CreateWithPasswordAsync(postgres);
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await runs.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", Api.Jobs.Talking(tool.Url, turns: 2)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        using var here = await EventReader.OpenAsync(runs.Http, "one");

        var told = await reader.UntilAsync("on_tool_start");
        Assert.Contains(told, it => it.Type == "on_llm_stream");
        Assert.Equal("running", (await watches.StateAsync("one")).Text("status"));
        gate.SetResult();
        told.AddRange(await reader.RestAsync());

        StreamSite.AssertWhole(told);
        Assert.Equal(told, await socket.ToEndAsync());
        Assert.Equal(told, await here.RestAsync());
        // Whoever comes after the end gets the same, chunks between what the log has, as long as Redis keeps them.
        foreach (var process in (ApiServer[])[watches, runs])
        {
            Assert.Equal(told, await EventReader.AllAsync(process.Http, "one"));
            using var late = await SocketReader.OpenAsync(process.Http, "one", after: 10);
            Assert.Equal(told.Skip(10), await late.ToEndAsync());
        }
        await site.AskAsync("DEL", "langgraph:events:one");
        StreamSite.AssertLog(await EventReader.AllAsync(watches.Http, "one"), told);
    }

    [Theory]
    [InlineData("talking", "on_llm_stream on_state_update on_tool_end on_tool_start")]
    [InlineData("failing", "on_error on_state_update")]
    [InlineData("asking", "on_interrupt on_state_update")]
    public async Task Whoever_subscribes_or_reads_the_stream_sees_what_is_documented_and_all_of_it_is_counted(string kind, string types)
    {
        await using var site = await StreamSite.CreateWithPasswordAsync(postgres);
        using var tool = new CountingServer();
        var runs = await site.StartAsync();
        using var cli = site.StartCli("SUBSCRIBE", "langgraph:stream:one");
        Assert.Equal(["subscribe", "langgraph:stream:one", "1"], await LinesAsync(cli));
        await StreamSite.ConnectedAsync(runs);
        await runs.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", kind switch
        {
            "talking" => Api.Jobs.Talking(tool.Url, turns: 2),
            "failing" => Api.Jobs.Failing,
            _ => Api.Jobs.Asking(tool.Url),
        }));

        var published = new List<Told>();
        while (published.Count == 0 || published[^1].Type != "end")
        {
            var lines = await LinesAsync(cli);
            Assert.Equal(["message", "langgraph:stream:one"], lines[..2]);
            published.Add(Documented(lines[2]));
        }

        StreamSite.AssertWhole(published);
        Assert.Equal([.. types.Split(' ').Append("end").Order(StringComparer.Ordinal)], published.Select(it => it.Type).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(published, await EventReader.AllAsync(runs.Http, "one"));
        Assert.Equal(published.SelectMany(it => (string[])[$"{it.Id}-0", "event", it.Data]), await site.AskAsync("XRANGE", "langgraph:events:one", "-", "+"));
        Assert.InRange(int.Parse((await site.AskAsync("TTL", "langgraph:events:one"))[0], CultureInfo.InvariantCulture), 3000, 3600);
        foreach (var type in (string[])["on_llm_stream", "on_tool_start", "on_tool_end", "on_state_update", "on_interrupt", "on_error", "end"])
        {
            var count = published.Count(it => it.Type == type);
            await Fleet.EventuallyAsync(async () => await StreamSite.CountAsync(runs, $"agent_executor_redis_publish_total{{event_type=\"{type}\"}}") == count);
        }
        Assert.Equal(0, await StreamSite.CountAsync(runs, "agent_executor_redis_publish_errors_total"));
        Assert.Equal(0, await StreamSite.CountAsync(runs, "agent_executor_stream_events_dropped_total"));
        cli.Kill();
    }

    [Fact]
    public async Task A_thread_that_waited_for_a_person_goes_on_at_another_process_and_is_seen_at_a_third()
    {
        await using var site = await StreamSite.CreateAsync(postgres);
        using var tool = new CountingServer();
        var (first, watches) = await site.StartBothAsync();
        await first.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", Api.Jobs.Asking(tool.Url)));
        using var asking = await EventReader.OpenAsync(watches.Http, "one");
        var asked = await asking.RestAsync();
        Assert.Equal("interrupted", asked[^1].Said.GetProperty("status").GetString());
        await first.Process.StopAsync();
        var second = await site.StartAsync("executor");

        (await watches.PostAsync("/threads/one/resume", """{"answer": "yes"}""")).AssertStatus(System.Net.HttpStatusCode.Accepted);
        using var going = await EventReader.OpenAsync(watches.Http, "one", asked[^1].Id);
        var rest = await going.RestAsync();

        Assert.Equal("completed", rest[^1].Said.GetProperty("status").GetString());
        StreamSite.AssertLog(await EventReader.AllAsync(second.Http, "one"), asked.Concat(rest));
    }

    [Fact]
    public async Task Where_values_are_asked_for_every_state_is_whole_elsewhere_too()
    {
        await using var site = await StreamSite.CreateAsync(postgres, ("STREAM_STATE", "values"));
        var (runs, watches) = await site.StartBothAsync();
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await runs.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", CrashDefinition.Team(tool.Url, delayMs: 0)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        gate.SetResult();

        var told = await reader.RestAsync();

        var states = told.Where(it => it.Type == "on_state_update" && !it.Said.TryGetProperty("ns", out _)).Select(it => it.Said.GetProperty("messages")).ToList();
        Assert.All(states, messages => Assert.Equal("hello", messages[0].GetProperty("content").GetString()));
        Assert.Equal(states.Select(messages => messages.GetArrayLength()).Order(), states.Select(messages => messages.GetArrayLength()));
        Assert.InRange(states.Count, 5, 100);
        StreamSite.AssertLog(await EventReader.AllAsync(watches.Http, "one"), told); // as Redis has it; and then as it is made again
        await site.AskAsync("DEL", "langgraph:events:one");
        StreamSite.AssertLog(await EventReader.AllAsync(watches.Http, "one"), told);
    }

    /// <summary>A message as <c>redis-cli</c> prints it where nobody looks on: its parts on lines of their own.</summary>
    private static async Task<string[]> LinesAsync(System.Diagnostics.Process cli)
    {
        var lines = new string[3];
        for (var line = 0; line < lines.Length; line++)
        {
            lines[line] = Assert.IsType<string>(await cli.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(AgentExecutorProgram.Limit));
        }
        return lines;
    }

    private static Told Documented(string message)
    {
        var told = Told.Frame(message);
        Assert.Equal(["event_type", "data", "seq", "ts"], told.Json.EnumerateObject().Select(it => it.Name));
        Assert.Equal(JsonValueKind.Object, told.Said.ValueKind);
        Assert.InRange(told.Json.GetProperty("ts").GetDateTimeOffset(), TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow());
        return told;
    }
}
