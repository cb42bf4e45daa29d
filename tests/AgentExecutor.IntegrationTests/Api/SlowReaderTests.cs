using System.Globalization;
using System.Text.RegularExpressions;
using AgentExecutor.IntegrationTests.Crash;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>Watchers that stop reading: they cost the run, the others and the process's memory nothing, and may come again.</summary>
public sealed partial class SlowReaderTests
{
    /// <summary>More than fits between the two sides; the text is many times as long again on the wire, chunk by chunk.</summary>
    private const int Chunks = 60_000;

    [Theory]
    [InlineData(64, 8_388_608)] // few may wait for a watcher
    [InlineData(1_000_000, 262_144)] // few bytes may
    public async Task Who_stops_reading_is_let_go_and_resumes_where_it_was(int events, int bytes)
    {
        await using var server = await StreamServerTests.StartAsync(
            ("STREAM_WATCHER_EVENTS", $"{events}"), ("STREAM_WATCHER_BYTES", $"{bytes}"), ("STREAM_GATHER_MILLISECONDS", "1"), ("STREAM_WATCHER_PATIENCE_SECONDS", "0.001"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", Telling(tool.Url)));
        await Fleet.EventuallyAsync(() => Task.FromResult(!tool.Calls.IsEmpty)); // it has told little so far
        using var slow = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
        using var slowSocket = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one")));
        await slow.ReadUntilAsync("on_tool_start");
        await slowSocket.ReadUntilAsync("on_tool_start");
        var before = Memory(server);
        gate.SetResult();

        await server.UntilAsync("one", "completed"); // nobody reads what the slow ones are sent
        var grown = Memory(server) - before;
        await slow.ReadToEndAsync();
        await slowSocket.TryReadUntilAsync("too slow: come again with ?after="); // or it was cut

        Assert.InRange(grown, long.MinValue, 250_000_000);
        // What it has is whole up to where it was cut: it was told so, or its connection ended.
        var told = Events(slow.Text);
        Assert.InRange(told.Count, 1, Chunks);
        if (told[^1].Type == "closed")
        {
            Assert.Equal("too_slow", told[^1].Json.GetProperty("reason").GetString());
            Assert.Equal(told[^2].Id, told[^1].Json.GetProperty("after").GetInt64());
            told.RemoveAt(told.Count - 1);
        }
        Assert.DoesNotContain(told, it => it.Type == "end");
        Assert.DoesNotContain("\"event_type\":\"end\"", slowSocket.Text, StringComparison.Ordinal);
        using var resumed = await EventReader.OpenAsync(server.Http, EventReader.Request(EventReader.Path("one"), ("Last-Event-ID", $"{told[^1].Id}")));
        var rest = await resumed.RestAsync();
        StreamTests.AssertInOrder([.. told, .. rest]);
        Assert.Equal(
            (await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged), told.Concat(rest).Where(it => it.IsLogged));
        StreamServerTests.AssertNoError(server);
    }

    [Fact]
    public async Task Others_get_all_in_time_while_some_have_stopped_reading()
    {
        await using var server = await StreamServerTests.StartAsync(("STREAM_WATCHER_EVENTS", "1000000"), ("STREAM_WATCHER_BYTES", "100000000"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", Telling(tool.Url)));
        var dead = new List<RawWatcher>();
        for (var i = 0; i < 5; i++)
        {
            dead.Add(await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one"))));
            dead.Add(await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one"))));
        }
        foreach (var watcher in dead)
        {
            await watcher.ReadUntilAsync("on_tool_start");
        }
        using var reader = await EventReader.OpenAsync(server.Http, "one");
        using var socket = await SocketReader.OpenAsync(server.Http, "one");
        var before = Memory(server);
        gate.SetResult();

        var both = await Task.WhenAll(reader.RestAsync(), socket.ToEndAsync());

        Assert.Equal("end", both[0][^1].Type);
        StreamTests.AssertInOrder(both[0]);
        Assert.Equal((await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged), both[0].Where(it => it.IsLogged));
        Assert.Equal(both[0], both[1]);
        Assert.InRange(Memory(server) - before, long.MinValue, 300_000_000);
        await server.UntilAsync("one", "completed");
        dead.ForEach(watcher => watcher.Cut());
        StreamServerTests.AssertNoError(server);
    }

    [Fact]
    public async Task Who_never_reads_again_is_cut_off()
    {
        await using var server = await StreamServerTests.StartAsync(("STREAM_MAX_WATCHERS", "2"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("waits", CrashDefinition.Once(tool.Url)));
        await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", Jobs.Chatty(Chunks, chunkSize: 8)));
        using var dead = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
        using var deadSocket = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one")));
        await dead.ReadUntilAsync("\"seq\":1,");
        await deadSocket.ReadUntilAsync("\"seq\":1,");

        await server.UntilAsync("one", "completed");
        var answers = new List<HttpResponseMessage>();
        await Fleet.EventuallyAsync(async () =>
        {
            var answer = await server.Http.SendAsync(EventReader.Request(EventReader.Path("waits")), HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
            if (answer.IsSuccessStatusCode)
            {
                answers.Add(answer);
            }
            return answers.Count == 2; // there is room for two again
        }, seconds: 120);

        gate.SetResult();
        foreach (var answer in answers)
        {
            Assert.Contains("event: end\n", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
            answer.Dispose();
        }
        StreamServerTests.AssertNoError(server);
    }

    /// <summary>Calls the tool, and then tells a great deal.</summary>
    private static string Telling(string url) =>
        """
        {"name": "telling", "tool_definitions": [{"name": "count", "description": "Counts.", "runtime": {"type": "http", "url": "URL"}, "parameters": {"type": "object"}}],
         "nodes": [{"id": "t", "type": "orchestrator", "config": {"tools": ["count"], "model": {"provider": "scripted", "model": "t", "script": [
          {"tool_calls": [{"name": "count", "args": {"who": "me"}}]}, {"text": "TEXT", "chunk_size": 8}]}}}]}
        """.Replace("URL", url, StringComparison.Ordinal)
        .Replace("TEXT", string.Concat(Enumerable.Range(0, Chunks).Select(chunk => chunk.ToString("x7", CultureInfo.InvariantCulture) + ".")), StringComparison.Ordinal);

    /// <summary>The whole events in what was read of a chunked answer.</summary>
    private static List<Told> Events(string text)
    {
        var body = ChunkHeads().Replace(text[text.IndexOf("\r\n\r\n", StringComparison.Ordinal)..], "");
        return
        [
            .. WholeEvents().Matches(body).Select(match => new Told(
                match.Groups["id"].Success ? long.Parse(match.Groups["id"].ValueSpan, CultureInfo.InvariantCulture) : null, match.Groups["type"].Value, match.Groups["data"].Value)),
        ];
    }

    /// <summary>Bytes of memory that the process holds.</summary>
    private static long Memory(ApiServer server) => long.Parse(
        File.ReadLines($"/proc/{server.Process.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) * 1024;

    [GeneratedRegex("\r\n[0-9a-fA-F]*\r\n")]
    private static partial Regex ChunkHeads();

    [GeneratedRegex("(id: (?<id>[0-9]+)\n)?event: (?<type>[a-z_]+)\ndata: (?<data>[^\n]+)\n\n")]
    private static partial Regex WholeEvents();
}
