using System.Text.Json;
using AgentExecutor.IntegrationTests.Api;

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
}
