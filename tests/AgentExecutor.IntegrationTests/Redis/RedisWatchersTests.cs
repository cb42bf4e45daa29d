using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Redis;

/// <summary>Many watchers of many runs at two processes. Their connections break, and Redis fails.</summary>
public sealed class RedisWatchersTests(PostgresFixture postgres)
{
    private const int Runs = 50;
    private const int Watchers = 200;

    [Fact]
    public async Task Watchers_that_reconnect_often_receive_the_log_in_order_and_once_also_when_Redis_fails()
    {
        await using var site = await StreamSite.CreateAsync(postgres);
        var processes = await Task.WhenAll(site.StartAsync(), site.StartAsync());
        var (chunks, logged) = (new Milestone(1000), new Milestone(300));

        var before = await StartAsync(processes, 0, chunks);
        await chunks.Reached;
        await site.Redis.KillAsync();
        var during = await StartAsync(processes, Runs / 2, logged);
        await logged.Reached;
        await site.Redis.StartAgainAsync();
        var received = await Task.WhenAll([.. before, .. during]);

        var logs = await Task.WhenAll(Enumerable.Range(0, Runs).Select(run => EventReader.AllAsync(processes[run % 2].Http, $"r{run}")));
        for (var watcher = 0; watcher < Watchers; watcher++)
        {
            WatchedEvents.AssertLog(logs[watcher * Runs / Watchers], received[watcher]);
        }
        await Task.WhenAll(processes.Select(process => StreamSite.ConnectedAsync(process)));
    }

    /// <summary>Starts half of the runs and their watchers.</summary>
    private static async Task<Task<List<WatchedEvent>>[]> StartAsync(ApiServer[] processes, int first, Milestone milestone)
    {
        for (var run = first; run < first + (Runs / 2); run++)
        {
            (
                await processes[run % 2]
                    .PostAsync("/deepagents-runtime/invoke", JobRequests.Data($"r{run}", JobRequests.Chatty(chunks: 60, chunkDelayMs: 20)))
            ).AssertStatus(System.Net.HttpStatusCode.OK);
        }
        const int Each = Watchers / Runs;
        return
        [
            .. Enumerable
                .Range(first * Each, Watchers / 2)
                .Select(watcher => WatchAsync(processes, $"r{watcher / Each}", watcher, milestone)),
        ];
    }

    /// <summary>Watches to the end, at changing processes.</summary>
    private static async Task<List<WatchedEvent>> WatchAsync(ApiServer[] processes, string thread, int seed, Milestone milestone)
    {
        var random = new Random(seed);
        var received = new List<WatchedEvent>();
        while (received.Count == 0 || received[^1].Type != "end")
        {
            var (http, most) = (processes[random.Next(2)].Http, random.Next(3) == 0 ? int.MaxValue : random.Next(1, 40));
            var after = received.Count == 0 ? (long?)null : received[^1].Id;
            var before = received.Count;
            if (random.Next(2) == 0)
            {
                using var socket = await SocketReader.OpenAsync(http, thread, after);
                await WatchedEvents.TakeAsync(socket.NextAsync, received, most);
            }
            else
            {
                using var reader = await EventReader.OpenAsync(http, thread, after);
                await WatchedEvents.TakeAsync(reader.NextAsync, received, most);
            }
            milestone.Add(received.Count - before);
        }
        return received;
    }

    /// <summary>Completes when the watchers have received a number of events.</summary>
    private sealed class Milestone(int count)
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _left = count;

        public Task Reached => _reached.Task.WaitAsync(AgentExecutorProgram.Limit);

        public void Add(int seen)
        {
            if (Interlocked.Add(ref _left, -seen) <= 0)
            {
                _reached.TrySetResult();
            }
        }
    }
}
