using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class ManyWatchersTests
{
    private const int Runs = 50;
    private const int Watchers = 200;

    [Fact]
    public async Task Watchers_that_reconnect_often_receive_the_log_in_order_and_once()
    {
        await using var server = await ApiServer.StartAsync();
        for (var run = 0; run < Runs; run++)
        {
            await server.PostAsync(
                "/deepagents-runtime/invoke",
                JobRequests.Data($"r{run}", JobRequests.Chatty(chunks: 60, chunkDelayMs: 5))
            );
        }

        var received = await Task.WhenAll(
            Enumerable.Range(0, Watchers).Select(watcher => WatchAsync(server, $"r{watcher % Runs}", watcher))
        );

        var logs = await Task.WhenAll(Enumerable.Range(0, Runs).Select(run => EventReader.AllAsync(server.Http, $"r{run}")));
        for (var watcher = 0; watcher < Watchers; watcher++)
        {
            WatchedEvents.AssertInOrder(received[watcher]);
            Assert.Equal(logs[watcher % Runs].Where(it => it.IsLogged), received[watcher].Where(it => it.IsLogged));
        }
        Assert.Contains(received, it => it.Any(value => value.Type == "on_llm_stream"));
        server.AssertNoError();
    }

    /// <summary>Watches to the end, and disconnects now and then.</summary>
    private static async Task<List<WatchedEvent>> WatchAsync(ApiServer server, string thread, int seed)
    {
        var random = new Random(seed);
        var received = new List<WatchedEvent>();
        while (received.Count == 0 || received[^1].Type != "end")
        {
            var most = random.Next(3) == 0 ? int.MaxValue : random.Next(1, 40);
            var after = received.Count == 0 ? (long?)null : received[^1].Id;
            if (random.Next(2) == 0)
            {
                using var socket = await SocketReader.OpenAsync(server.Http, thread, after);
                await WatchedEvents.TakeAsync(socket.NextAsync, received, most);
            }
            else
            {
                using var reader = await EventReader.OpenAsync(server.Http, thread, after);
                await WatchedEvents.TakeAsync(reader.NextAsync, received, most);
            }
        }
        return received;
    }
}
