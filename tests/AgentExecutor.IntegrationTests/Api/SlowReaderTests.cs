using System.Globalization;
using System.Text.RegularExpressions;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>Watchers that stop reading delay neither the run nor other watchers, do not fill the memory, and can resume.</summary>
public sealed partial class SlowReaderTests
{
    /// <summary>
    /// More than the buffers between server and client can hold. On the wire, each chunk becomes an event many times as long.
    /// </summary>
    private const int Chunks = 60_000;

    [Theory]
    [InlineData(64, 8_388_608)] // limited by the number of events
    [InlineData(1_000_000, 262_144)] // limited by the number of bytes
    public async Task A_watcher_that_stops_reading_is_disconnected_and_resumes_where_it_was(int events, int bytes)
    {
        await using var server = await ApiServer.StartWithAsync(
            ("STREAM_WATCHER_EVENTS", $"{events}"),
            ("STREAM_WATCHER_BYTES", $"{bytes}"),
            ("STREAM_GATHER_MILLISECONDS", "1"),
            ("STREAM_WATCHER_PATIENCE_SECONDS", "0.001")
        );
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", Telling(tool.Url)));
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty); // Few events were sent so far.
        using var slow = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
        using var slowSocket = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one")));
        await slow.ReadUntilAsync("on_tool_start");
        await slowSocket.ReadUntilAsync("on_tool_start");
        var before = Memory(server);
        gate.SetResult();

        await server.UntilAsync("one", "completed"); // The slow watchers read nothing meanwhile.
        var grown = Memory(server) - before;
        await slow.ReadToEndAsync();
        await slowSocket.TryReadUntilAsync("too slow: reconnect with ?after="); // or the connection was aborted

        Assert.InRange(grown, long.MinValue, 250_000_000);
        // The events are complete up to the disconnection, which a `closed` event or the end of the connection shows.
        var received = Events(slow.Text);
        Assert.InRange(received.Count, 1, Chunks);
        if (received[^1].Type == "closed")
        {
            Assert.Equal("too_slow", received[^1].Json.GetProperty("reason").GetString());
            Assert.Equal(received[^2].Id, received[^1].Json.GetProperty("after").GetInt64());
            received.RemoveAt(received.Count - 1);
        }
        Assert.DoesNotContain(received, it => it.Type == "end");
        Assert.DoesNotContain("\"event_type\":\"end\"", slowSocket.Text, StringComparison.Ordinal);
        using var resumed = await EventReader.OpenAsync(
            server.Http,
            EventReader.Request(EventReader.Path("one"), ("Last-Event-ID", $"{received[^1].Id}"))
        );
        var rest = await resumed.RestAsync();
        WatchedEvents.AssertInOrder([.. received, .. rest]);
        Assert.Equal(
            (await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged),
            received.Concat(rest).Where(it => it.IsLogged)
        );
        server.AssertNoError();
    }

    [Fact]
    public async Task Watchers_receive_everything_while_others_have_stopped_reading()
    {
        await using var server = await ApiServer.StartWithAsync(
            ("STREAM_WATCHER_EVENTS", "1000000"),
            ("STREAM_WATCHER_BYTES", "100000000")
        );
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", Telling(tool.Url)));
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
        WatchedEvents.AssertInOrder(both[0]);
        Assert.Equal((await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged), both[0].Where(it => it.IsLogged));
        Assert.Equal(both[0], both[1]);
        Assert.InRange(Memory(server) - before, long.MinValue, 300_000_000);
        await server.UntilAsync("one", "completed");
        dead.ForEach(watcher => watcher.Cut());
        server.AssertNoError();
    }

    [Fact]
    public async Task A_watcher_that_never_reads_again_is_disconnected()
    {
        await using var server = await ApiServer.StartWithAsync(("STREAM_MAX_WATCHERS", "2"));
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("waits", CountingAgents.Once(tool.Url)));
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", JobRequests.Chatty(Chunks, chunkSize: 8)));
        using var dead = await RawWatcher.OpenAsync(server.Http, RawWatcher.Get(EventReader.Path("one")));
        using var deadSocket = await RawWatcher.OpenAsync(server.Http, RawWatcher.Upgrade(SocketReader.Path("one")));
        await dead.ReadUntilAsync("\"seq\":1,");
        await deadSocket.ReadUntilAsync("\"seq\":1,");

        await server.UntilAsync("one", "completed");
        var answers = new List<HttpResponseMessage>();
        await Wait.UntilAsync(
            async () =>
            {
                var answer = await server.Http.SendAsync(
                    EventReader.Request(EventReader.Path("waits")),
                    HttpCompletionOption.ResponseHeadersRead,
                    TestContext.Current.CancellationToken
                );
                if (answer.IsSuccessStatusCode)
                {
                    answers.Add(answer);
                }
                return answers.Count == 2; // Two watchers are admitted again.
            },
            seconds: 120
        );

        gate.SetResult();
        foreach (var answer in answers)
        {
            Assert.Contains(
                "event: end\n",
                await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
                StringComparison.Ordinal
            );
            answer.Dispose();
        }
        server.AssertNoError();
    }

    /// <summary>An agent that calls the tool and then answers with a very long text.</summary>
    private static string Telling(string url) =>
        """
            {"name": "telling", "tool_definitions": [{"name": "count", "description": "Counts.",
              "runtime": {"type": "http", "url": "URL"}, "parameters": {"type": "object"}}],
             "nodes": [{"id": "t", "type": "orchestrator",
               "config": {"tools": ["count"], "model": {"provider": "scripted", "model": "t", "script": [
              {"tool_calls": [{"name": "count", "args": {"who": "me"}}]}, {"text": "TEXT", "chunk_size": 8}]}}}]}
            """.Replace("URL", url, StringComparison.Ordinal).Replace(
            "TEXT",
            string.Concat(Enumerable.Range(0, Chunks).Select(chunk => chunk.ToString("x7", CultureInfo.InvariantCulture) + ".")),
            StringComparison.Ordinal
        );

    /// <summary>The complete events in the text of a chunked response.</summary>
    private static List<WatchedEvent> Events(string text)
    {
        var body = ChunkHeads().Replace(text[text.IndexOf("\r\n\r\n", StringComparison.Ordinal)..], "");
        return
        [
            .. WholeEvents()
                .Matches(body)
                .Select(match => new WatchedEvent(
                    match.Groups["id"].Success ? long.Parse(match.Groups["id"].ValueSpan, CultureInfo.InvariantCulture) : null,
                    match.Groups["type"].Value,
                    match.Groups["data"].Value
                )),
        ];
    }

    /// <summary>The resident memory of the process in bytes.</summary>
    private static long Memory(ApiServer server) =>
        long.Parse(
            File.ReadLines($"/proc/{server.Process.Id}/status")
                .First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture
        ) * 1024;

    [GeneratedRegex("\r\n[0-9a-fA-F]*\r\n")]
    private static partial Regex ChunkHeads();

    [GeneratedRegex("(id: (?<id>[0-9]+)\n)?event: (?<type>[a-z_]+)\ndata: (?<data>[^\n]+)\n\n")]
    private static partial Regex WholeEvents();
}
