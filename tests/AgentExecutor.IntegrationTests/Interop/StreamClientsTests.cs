using System.Text.Json;
using AgentExecutor.IntegrationTests.Api;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Streams;

namespace AgentExecutor.IntegrationTests.Interop;

/// <summary>The usual clients of server-sent events and WebSockets in another language watch a thread, over connections that break.</summary>
public sealed class StreamClientsTests
{
    [Fact]
    public async Task Clients_of_other_languages_see_all_of_a_thread_once_though_their_connection_breaks()
    {
        await using var server = await ApiServer.StartAsync();
        using var program = new AgentExecutorProgram();
        await NodePackage.InstallAsync(program, "streams");
        await server.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", Api.Jobs.Chatty(chunks: 300, chunkDelayMs: 10)));

        var ran = await NodePackage.RunAsync(program, "node", "watch.mjs", server.Http.BaseAddress!.ToString(), "one");

        Assert.True(ran.ExitCode == 0, ran.Error);
        var said = JsonElement.Parse(ran.Output);
        var log = (await EventReader.AllAsync(server.Http, "one")).Where(it => it.IsLogged).ToList();
        foreach (var client in (string[])["eventSource", "ws"])
        {
            var told = said.GetProperty(client).GetProperty("events").EnumerateArray()
                .Select(it => new Told(it.GetProperty("id").GetInt64(), it.GetProperty("type").GetString()!, it.GetProperty("data").GetString()!)).ToList();
            StreamTests.AssertInOrder(told);
            Assert.Equal(log, told.Where(it => it.IsLogged));
            Assert.Contains(told, it => it.Type == "on_llm_stream");
            Assert.InRange(said.GetProperty(client).GetProperty("connections").GetInt32(), 2, 3); // the one that broke, and after it
        }
        Assert.Equal(204, said.GetProperty("eventSource").GetProperty("code").GetInt32()); // it comes no more
        Assert.Equal([1006, 1000], said.GetProperty("ws").GetProperty("closes").EnumerateArray().Select(code => code.GetInt32()));
    }

    [Fact]
    public async Task A_client_of_Redis_in_another_language_follows_the_channel_and_reads_the_stream()
    {
        RedisFixture.SkipWithout();
        await using var redis = await RedisServer.StartOwnAsync($"requirepass {StreamSite.Password}");
        var url = $"redis://:{Uri.EscapeDataString(StreamSite.Password)}@127.0.0.1:{redis.Port}";
        await using var server = await ApiServer.StartAsync(null, new Dictionary<string, string> { ["REDIS_URL"] = url });
        await StreamSite.ConnectedAsync(server);
        using var tool = new CountingServer();
        using var program = new AgentExecutorProgram();
        await NodePackage.InstallAsync(program, "streams");
        var job = program.WriteFile("job.json", Api.Jobs.Data("one", Api.Jobs.Talking(tool.Url, turns: 2)));

        var ran = await NodePackage.RunAsync(program, "node", "redis.mjs", url, server.Http.BaseAddress!.ToString(), "one", job);

        Assert.True(ran.ExitCode == 0, ran.Error);
        var said = JsonElement.Parse(ran.Output);
        var told = said.GetProperty("messages").EnumerateArray().Select(message => Told.Frame(message.GetString()!)).ToList();
        StreamSite.AssertWhole(told);
        Assert.Equal(told, await EventReader.AllAsync(server.Http, "one"));
        Assert.Equal(Entries(told), Entries(said, "after"));
        Assert.Equal(Entries(told.Skip(9)), Entries(said, "fromTen"));
        var during = Entries(said, "during");
        Assert.InRange(during.Count, 30, told.Count); // what came before the message had been kept by then
        Assert.Equal(Entries(told).Take(during.Count), during);
    }

    private static IEnumerable<(string, string)> Entries(IEnumerable<Told> told) => told.Select(it => ($"{it.Id}-0", it.Data));

    private static List<(string, string)> Entries(JsonElement said, string name) =>
        [.. said.GetProperty(name).EnumerateArray().Select(it => (it.GetProperty("id").GetString()!, it.GetProperty("event").GetString()!))];
}
