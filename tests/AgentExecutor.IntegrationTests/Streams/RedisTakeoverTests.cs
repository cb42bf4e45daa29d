using AgentExecutor.IntegrationTests.Api;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Streams;

public sealed class RedisTakeoverTests(PostgresFixture postgres)
{
    private const int Chunks = 150;

    [Fact]
    public async Task When_the_worker_dies_in_mid_message_who_watches_elsewhere_is_told_that_it_does_not_count_and_then_all_of_it_again()
    {
        await using var site = await StreamSite.CreateAsync(postgres, ("WORKER_LEASE_SECONDS", "2"), ("WORKER_RESCUE_SECONDS", "0.2"));
        var (dies, watches) = await site.StartBothAsync();
        await dies.PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data("one", Api.Jobs.Chatty(Chunks, chunkDelayMs: 20)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        var shown = await reader.TakeAsync(20);
        var message = MessageOf(shown[^1]);

        await dies.Process.KillAsync();
        var lives = await site.StartAsync("executor");
        var told = shown.Concat(await reader.RestAsync()).ToList();

        var chunks = told.FindAll(it => MessageOf(it) == message);
        var superseded = chunks.FindIndex(it => it.Said.TryGetProperty("superseded", out var isSo) && isSo.GetBoolean());
        Assert.InRange(superseded, 15, Chunks - 1);
        Assert.Equal(Text(Chunks)[..(4 * superseded)], Text(chunks[..superseded]));
        Assert.Equal(Text(Chunks), Text(chunks[(superseded + 1)..]));
        Assert.Equal("completed", told[^1].Said.GetProperty("status").GetString());
        var log = (await EventReader.AllAsync(lives.Http, "one")).ToList();
        StreamSite.AssertLog(log, told, await socket.ToEndAsync(), await EventReader.AllAsync(watches.Http, "one"));
        Assert.Equal(told, log); // Redis still has what the dead worker showed
    }

    private static string? MessageOf(Told told) => told.Type == "on_llm_stream" ? told.Said.GetProperty("message_id").GetString() : null;

    private static string Text(int chunks) => string.Concat(Enumerable.Range(0, chunks).Select(chunk => $"{chunk:x4}"));

    private static string Text(List<Told> chunks) => string.Concat(chunks.Select(it => it.Said.TryGetProperty("content", out var content) ? content.GetString() : ""));
}
