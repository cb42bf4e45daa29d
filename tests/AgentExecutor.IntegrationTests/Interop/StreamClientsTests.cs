using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Interop;

/// <summary>
/// JavaScript clients of server-sent events and WebSockets watch a thread over connections that break.
/// </summary>
public sealed class StreamClientsTests
{
    [Fact]
    public async Task JavaScript_clients_receive_every_event_once_over_connections_that_break()
    {
        await using var server = await ApiServer.StartAsync();
        using var program = new AgentExecutorProgram();
        await NodePackage.InstallAsync(program, "streams");
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", JobRequests.Chatty(chunks: 300, chunkDelayMs: 10)));

        var ran = await NodePackage.RunAsync(program, "node", "watch.mjs", server.Http.BaseAddress!.ToString(), "one");

        Assert.True(ran.ExitCode == 0, ran.Error);
        var output = JsonElement.Parse(ran.Output);
        var log = (await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged).ToList();
        foreach (var client in (string[])["eventSource", "ws"])
        {
            var received = output
                .GetProperty(client)
                .GetProperty("events")
                .EnumerateArray()
                .Select(it => new WatchedEvent(
                    it.GetProperty("id").GetInt64(),
                    it.GetProperty("type").GetString()!,
                    it.GetProperty("data").GetString()!
                ))
                .ToList();
            WatchedEvents.AssertInOrder(received);
            Assert.Equal(log, received.Where(it => it.IsLogged));
            Assert.Contains(received, it => it.Type == "on_llm_stream");
            // The broken connection and those after it.
            Assert.InRange(output.GetProperty(client).GetProperty("connections").GetInt32(), 2, 3);
        }
        Assert.Equal(204, output.GetProperty("eventSource").GetProperty("code").GetInt32()); // The client does not reconnect.
        Assert.Equal([1006, 1000], output.GetProperty("ws").GetProperty("closes").EnumerateArray().Select(code => code.GetInt32()));
    }

    [Fact]
    public async Task A_JavaScript_client_of_Redis_follows_the_channel_and_reads_the_stream()
    {
        RedisFixture.SkipWithout();
        await using var redis = await RedisServer.StartOwnAsync($"requirepass {StreamSite.Password}");
        var url = $"redis://:{Uri.EscapeDataString(StreamSite.Password)}@127.0.0.1:{redis.Port}";
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["REDIS_URL"] = url });
        await StreamSite.ConnectedAsync(server);
        using var tool = new CountingServer();
        using var program = new AgentExecutorProgram();
        await NodePackage.InstallAsync(program, "streams");
        var job = program.WriteFile("job.json", JobRequests.Data("one", JobRequests.Talking(tool.Url, turns: 2)));

        var ran = await NodePackage.RunAsync(program, "node", "redis.mjs", url, server.Http.BaseAddress!.ToString(), "one", job);

        Assert.True(ran.ExitCode == 0, ran.Error);
        var output = JsonElement.Parse(ran.Output);
        var received = output.GetProperty("messages").EnumerateArray().Select(message => WatchedEvent.Frame(message.GetString()!)).ToList();
        WatchedEvents.AssertWhole(received);
        Assert.Equal(received, await EventReader.AllAsync(server.Http, "one"));
        Assert.Equal(Entries(received), Entries(output, "after"));
        Assert.Equal(Entries(received.Skip(9)), Entries(output, "fromTen"));
        var during = Entries(output, "during");
        Assert.InRange(during.Count, 30, received.Count); // The earlier events were stored by then.
        Assert.Equal(Entries(received).Take(during.Count), during);
    }

    private static IEnumerable<(string, string)> Entries(IEnumerable<WatchedEvent> received) =>
        received.Select(it => ($"{it.Id}-0", it.Data));

    private static List<(string, string)> Entries(JsonElement output, string name) =>
        [
            .. output
                .GetProperty(name)
                .EnumerateArray()
                .Select(it => (it.GetProperty("id").GetString()!, it.GetProperty("event").GetString()!)),
        ];
}
