using AgentExecutor.IntegrationTests.Api;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Streams;

/// <summary>Many watchers of many runs at two processes, whose connections break, and Redis too.</summary>
public sealed class RedisWatchersTests(PostgresFixture postgres)
{
    private const int Runs = 50;
    private const int Watchers = 200;

    [Fact]
    public async Task However_often_they_are_cut_off_and_whatever_Redis_does_all_get_the_log_in_order_and_once()
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
        var told = await Task.WhenAll([.. before, .. during]);

        var logs = await Task.WhenAll(Enumerable.Range(0, Runs).Select(run => EventReader.AllAsync(processes[run % 2].Http, $"r{run}")));
        for (var watcher = 0; watcher < Watchers; watcher++)
        {
            StreamSite.AssertLog(logs[watcher * Runs / Watchers], told[watcher]);
        }
        await Task.WhenAll(processes.Select(process => StreamSite.ConnectedAsync(process)));
    }

    /// <summary>Half of the runs, and those who watch them.</summary>
    private static async Task<Task<List<Told>>[]> StartAsync(ApiServer[] processes, int first, Milestone milestone)
    {
        for (var run = first; run < first + (Runs / 2); run++)
        {
            (await processes[run % 2].PostAsync("/deepagents-runtime/invoke", Api.Jobs.Data($"r{run}", Api.Jobs.Chatty(chunks: 60, chunkDelayMs: 20)))).AssertStatus(System.Net.HttpStatusCode.OK);
        }
        const int Each = Watchers / Runs;
        return [.. Enumerable.Range(first * Each, Watchers / 2).Select(watcher => WatchAsync(processes, $"r{watcher / Each}", watcher, milestone))];
    }

    /// <summary>Watches to the end, now at the one process and now at the other.</summary>
    private static async Task<List<Told>> WatchAsync(ApiServer[] processes, string thread, int seed, Milestone milestone)
    {
        var random = new Random(seed);
        var told = new List<Told>();
        while (told.Count == 0 || told[^1].Type != "end")
        {
            var (http, most) = (processes[random.Next(2)].Http, random.Next(3) == 0 ? int.MaxValue : random.Next(1, 40));
            var after = told.Count == 0 ? (long?)null : told[^1].Id;
            var before = told.Count;
            if (random.Next(2) == 0)
            {
                using var socket = await SocketReader.OpenAsync(http, thread, after);
                await ManyWatchersTests.TakeAsync(socket.NextAsync, told, most);
            }
            else
            {
                using var reader = await EventReader.OpenAsync(http, thread, after);
                await ManyWatchersTests.TakeAsync(reader.NextAsync, told, most);
            }
            milestone.Add(told.Count - before);
        }
        return told;
    }

    /// <summary>So many events were seen.</summary>
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
