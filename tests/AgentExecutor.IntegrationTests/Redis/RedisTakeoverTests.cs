using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Redis;

public sealed class RedisTakeoverTests(PostgresFixture postgres)
{
    private const int Chunks = 150;

    [Fact]
    public async Task When_a_worker_dies_in_mid_message_watchers_elsewhere_receive_the_message_again()
    {
        await using var site = await StreamSite.CreateAsync(postgres, ("WORKER_LEASE_SECONDS", "2"), ("WORKER_RESCUE_SECONDS", "0.2"));
        var (dies, watches) = await site.StartBothAsync();
        await dies.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", JobRequests.Chatty(Chunks, chunkDelayMs: 20)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        var shown = await reader.TakeAsync(20);
        var message = MessageOf(shown[^1]);

        await dies.Process.KillAsync();
        var lives = await site.StartAsync("executor");
        var received = shown.Concat(await reader.RestAsync()).ToList();

        var chunks = received.FindAll(it => MessageOf(it) == message);
        var superseded = chunks.FindIndex(it => it.Payload.TryGetProperty("superseded", out var isSo) && isSo.GetBoolean());
        Assert.InRange(superseded, 15, Chunks - 1);
        Assert.Equal(Text(Chunks)[..(4 * superseded)], Text(chunks[..superseded]));
        Assert.Equal(Text(Chunks), Text(chunks[(superseded + 1)..]));
        Assert.Equal("completed", received[^1].Payload.GetProperty("status").GetString());
        var log = (await EventReader.AllAsync(lives.Http, "one")).ToList();
        WatchedEvents.AssertLog(log, received, await socket.ToEndAsync(), await EventReader.AllAsync(watches.Http, "one"));
        Assert.Equal(received, log); // Redis still has the chunks of the dead worker.
    }

    private static string? MessageOf(WatchedEvent received) =>
        received.Type == "on_llm_stream" ? received.Payload.GetProperty("message_id").GetString() : null;

    private static string Text(int chunks) => string.Concat(Enumerable.Range(0, chunks).Select(chunk => $"{chunk:x4}"));

    private static string Text(List<WatchedEvent> chunks) =>
        string.Concat(chunks.Select(it => it.Payload.TryGetProperty("content", out var content) ? content.GetString() : ""));
}
