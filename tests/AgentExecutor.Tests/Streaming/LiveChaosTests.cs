using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Tests.Streaming;

/// <summary>
/// Runs move between processes, the transport has outages, and watchers disconnect and reconnect. Each watcher receives exactly the log.
/// </summary>
public sealed class LiveChaosTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Every_watcher_receives_exactly_the_log(int seed)
    {
        var store = new InMemoryCheckpointStore();
        var transport = new InMemoryEventTransport();
        await using var first = new LiveProcess(store, transport, new StreamSettings { GatherMilliseconds = 1, WatcherEvents = 64 });
        await using var second = new LiveProcess(
            store,
            transport.Join(),
            new StreamSettings { GatherMilliseconds = 1, WatcherEvents = 64 }
        );
        LiveProcess[] processes = [first, second];
        var random = new Random(seed);
        string[] threads = ["t1", "t2", "t3"];
        var sessions = new List<RunSession>();
        foreach (var thread in threads)
        {
            sessions.Add(await LiveEventsTests.BeginAsync(first, thread));
        }

        using var done = new CancellationTokenSource();
        var flapping = FlapAsync(transport, seed, done.Token);
        var watching = threads
            .SelectMany(thread => Enumerable.Range(0, 10).Select(i => CollectAsync(processes, thread, new Random((seed * 1000) + i))))
            .ToList();
        await Task.WhenAll(threads.Select((thread, i) => DriveAsync(processes, sessions[i], new Random(seed + i))));
        await done.CancelAsync();
        await flapping;

        foreach (var (thread, events) in await Task.WhenAll(watching))
        {
            Assert.Equal(events.Select(value => value.Sequence).Order().Distinct(), events.Select(value => value.Sequence));
            var log = await LogAsync(first, store, thread);
            var ghosts = events.Where(value => value.IsLogged).Lines().Except(log).ToList();
            Assert.Equal(log, events.Where(value => value.IsLogged).Lines().Except(ghosts));
            // Events that a worker published but had not stored when it was lost.
            Assert.All(ghosts, ghost => Assert.Contains("on_tool_start", ghost, StringComparison.Ordinal));
        }
    }

    /// <summary>Publishes chunks and tool calls, and occasionally commits or loses its worker.</summary>
    private static async Task DriveAsync(LiveProcess[] processes, RunSession session, Random random)
    {
        for (var step = 0; step < 60; step++)
        {
            for (var i = random.Next(8); i > 0; i--)
            {
                session.Publish(LiveEventsTests.Chunk($"{step}.{i}"));
            }
            session.Publish(new RunEvent.ToolStarted("a", new ToolCall($"{step}", "ls", Engine.Json("{}"))));
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(8)), TimeProvider.System, Cancel);
            if (random.Next(10) == 0)
            {
                session.Dispose();
                session = new RunSession(Start.Apply(session.Run, default).Run, processes[random.Next(2)].Services, new RunLimits());
            }
            await session.CommitAsync((run, _) => new RunChange(run, []), Cancel);
        }
        await session.CommitAsync(Complete.Apply, Cancel);
        session.Dispose();
    }

    /// <summary>Reads for a while, disconnects, and reconnects to either process with its last number, until the end.</summary>
    private static async Task<(string Thread, List<StreamEvent> Events)> CollectAsync(LiveProcess[] processes, string thread, Random random)
    {
        var events = new List<StreamEvent>();
        while (true)
        {
            var patience = random.Next(1, 20);
            await using var watch = await processes[random.Next(2)]
                .Live.WatchAsync(thread, events.Count > 0 ? events[^1].Sequence : 0, Cancel);
            await foreach (var received in watch.ReadAsync(Cancel))
            {
                events.AddRange(received);
                if (received is [.., { IsEnd: true }])
                {
                    return (thread, events);
                }
                if (--patience == 0)
                {
                    break;
                }
            }
        }
    }

    private static async Task FlapAsync(InMemoryEventTransport transport, int seed, CancellationToken done)
    {
        var random = new Random(seed);
        while (!done.IsCancellationRequested)
        {
            transport.SetConnected(random.Next(3) > 0);
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1, 60)), TimeProvider.System, done)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        transport.SetConnected(true);
    }

    private static async Task<string[]> LogAsync(LiveProcess process, InMemoryCheckpointStore store, string thread)
    {
        var page = await store.ReadAsync(thread, 0, int.MaxValue, Cancel);
        return (await process.Replay.ReadAsync(thread, page!, 0, new Dictionary<long, StreamEvent>(), Cancel)).Events.Lines();
    }
}
