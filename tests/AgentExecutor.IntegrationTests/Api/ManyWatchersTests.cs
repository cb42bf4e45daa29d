namespace AgentExecutor.IntegrationTests.Api;

public sealed class ManyWatchersTests
{
    private const int Runs = 50;
    private const int Watchers = 200;

    [Fact]
    public async Task However_often_they_are_cut_off_all_get_the_log_in_order_and_once()
    {
        await using var server = await ApiServer.StartAsync();
        for (var run = 0; run < Runs; run++)
        {
            await server.PostAsync("/deepagents-runtime/invoke", Jobs.Data($"r{run}", Jobs.Chatty(chunks: 60, chunkDelayMs: 5)));
        }

        var told = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(watcher => WatchAsync(server, $"r{watcher % Runs}", watcher)));

        var logs = await Task.WhenAll(Enumerable.Range(0, Runs).Select(run => EventReader.AllAsync(server.Http, $"r{run}")));
        for (var watcher = 0; watcher < Watchers; watcher++)
        {
            StreamTests.AssertInOrder(told[watcher]);
            Assert.Equal(logs[watcher % Runs].Where(it => it.IsLogged), told[watcher].Where(it => it.IsLogged));
        }
        Assert.Contains(told, it => it.Any(value => value.Type == "on_llm_stream"));
        StreamServerTests.AssertNoError(server);
    }

    /// <summary>Watches to the end, and hangs up now and then, in mid-flight.</summary>
    private static async Task<List<Told>> WatchAsync(ApiServer server, string thread, int seed)
    {
        var random = new Random(seed);
        var told = new List<Told>();
        while (told.Count == 0 || told[^1].Type != "end")
        {
            var most = random.Next(3) == 0 ? int.MaxValue : random.Next(1, 40);
            var after = told.Count == 0 ? (long?)null : told[^1].Id;
            if (random.Next(2) == 0)
            {
                using var socket = await SocketReader.OpenAsync(server.Http, thread, after);
                await TakeAsync(socket.NextAsync, told, most);
            }
            else
            {
                using var reader = await EventReader.OpenAsync(server.Http, thread, after);
                await TakeAsync(reader.NextAsync, told, most);
            }
        }
        return told;
    }

    internal static async Task TakeAsync(Func<Task<Told?>> next, List<Told> told, int most)
    {
        for (var taken = 0; taken < most && await next() is { Id: not null } value; taken++)
        {
            told.Add(value);
        }
    }
}
