using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Streaming;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Tests.Streaming;

/// <summary>The events that a watcher receives, regardless of when it connects and which process executes the run.</summary>
public sealed class LiveEventsTests
{
    private const string Slow = """
        {"nodes": [{"id": "a", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "m", "script": [
           {"text": "let me see how this goes", "chunk_size": 2, "chunk_delay_ms": 4,
            "tool_calls": [{"id": "1", "name": "ls", "args": {}}]},
           {"text": "it is done, and it took a while", "chunk_size": 2, "chunk_delay_ms": 4}]}}}]}
        """;

    private readonly InMemoryCheckpointStore _store = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_watcher_that_joins_during_a_run_receives_all_events_once_and_in_order(bool fromAnotherProcess)
    {
        var transport = new InMemoryEventTransport();
        await using var here = new LiveProcess(_store, transport);
        await using var there = new LiveProcess(_store, transport.Join());
        var run = here.StartAsync(Slow);
        var watches = new List<Task<(List<StreamEvent> Events, WatchEnd? End)>>();
        while (!run.IsCompleted)
        {
            watches.Add(WatchOnceThereAsync(fromAnotherProcess ? there : here));
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancel);
        }
        await run;

        foreach (var (events, end) in await Task.WhenAll(watches))
        {
            Assert.Equal(WatchEnd.RunEnded, end);
            Assert.Equal(here.Published.Logged.Lines(), events.Where(value => value.IsLogged).Lines());
            if (fromAnotherProcess) // the log may be ahead of chunks that are in transit, and contains their message
            {
                Assert.Empty(events.Lines().Except(here.Published.All.Lines()));
            }
            else
            {
                Assert.Equal(here.Published.All.Lines(), events.Lines());
            }
        }
    }

    [Fact]
    public async Task Without_a_transport_the_runs_of_another_process_are_read_from_the_log()
    {
        await using var here = new LiveProcess(_store);
        await using var there = new LiveProcess(_store);
        var run = here.StartAsync(Slow);
        var watch = WatchOnceThereAsync(there);
        await run;

        var (events, end) = await watch;

        Assert.Equal(WatchEnd.RunEnded, end);
        Assert.Equal(here.Published.Logged.Lines(), events.Lines());
    }

    [Fact]
    public async Task An_outage_of_the_transport_loses_only_chunks()
    {
        var transport = new InMemoryEventTransport();
        await using var here = new LiveProcess(_store, transport);
        await using var there = new LiveProcess(_store, transport.Join());
        var run = here.StartAsync(Slow);
        var watch = WatchOnceThereAsync(there);
        for (var isUp = false; !run.IsCompleted; isUp = !isUp)
        {
            transport.SetConnected(isUp);
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
        }
        await run;

        var (events, end) = await watch;

        Assert.Equal(WatchEnd.RunEnded, end);
        Assert.Equal(here.Published.Logged.Lines(), events.Where(value => value.IsLogged).Lines());
        Assert.Empty(events.Lines().Except(here.Published.All.Lines()));
    }

    [Fact]
    public async Task A_watcher_that_has_seen_all_events_is_informed()
    {
        await using var process = new LiveProcess(_store);
        await process.StartAsync(Slow);
        var last = process.Published.All[^1].Sequence;

        await using var watch = await process.Live.WatchAsync("t", last, Cancel);
        var (events, _) = await process.WatchAsync(after: last - 1);

        Assert.True(watch.IsOver);
        Assert.Equal([EventKinds.End], events.Select(value => value.Type));
    }

    [Fact]
    public async Task A_watch_continues_if_the_run_was_resumed()
    {
        const string Asking = """
            {"nodes": [{"id": "ask", "type": "human", "config": {"question": "Go on?", "output": "answer"}}],
             "edges": [{"from": "START", "to": "ask"}, {"from": "ask", "to": "END"}]}
            """;
        await using var process = new LiveProcess(_store);
        var asked = await process.StartAsync(Asking);
        var (before, end) = await process.WatchAsync();
        Assert.Equal((WatchEnd.RunEnded, EventKinds.End), (end, before[^1].Type));
        await process.ResumeAsync("t", (asked.Interrupts[0].Id, "true"));

        var (all, _) = await process.WatchAsync();

        Assert.Equal(process.Published.Logged.Lines(), all.Lines());
        Assert.Equal(2, all.Count(value => value.IsEnd));
    }

    [Fact]
    public async Task An_unknown_thread_is_a_fault()
    {
        await using var process = new LiveProcess(_store);

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await process.Live.WatchAsync("nobody", 0, Cancel));

        Assert.Equal(FaultCodes.UnknownThread, fault.Code);
        Assert.Equal(0, process.Live.Watchers);
    }

    [Fact]
    public async Task A_slow_watcher_is_disconnected_and_receives_the_rest_when_it_reconnects()
    {
        await using var process = new LiveProcess(
            _store,
            settings: new StreamSettings { WatcherEvents = 4, WatcherPatienceSeconds = 0.0000001 }
        );
        using var session = await BeginAsync(process);
        await using var watch = await process.Live.WatchAsync("t", 0, Cancel);
        await using var batches = watch.ReadAsync(Cancel).GetAsyncEnumerator(Cancel);
        session.Publish(Chunk("0"));
        Assert.True(await batches.MoveNextAsync()); // it has read everything, and reads nothing from here on
        var seen = batches.Current.ToList();
        for (var i = 1; i <= 100; i++)
        {
            session.Publish(Chunk($"{i}"));
        }
        var (other, _) = await NextAsync(process, 50); // other watchers are not delayed

        while (await batches.MoveNextAsync())
        {
            seen.AddRange(batches.Current);
        }
        Assert.Equal(WatchEnd.TooSlow, watch.End);
        Assert.Equal(5, seen.Count);
        var (rest, _) = await NextAsync(process, 101 - seen.Count, watch.Last);

        Assert.Equal(process.Published.All.Lines(), seen.Concat(rest).Lines());
        Assert.Equal(50, other.Count);
    }

    [Fact]
    public async Task Events_that_a_lost_worker_did_not_store_are_live_but_not_in_the_log()
    {
        await using var process = new LiveProcess(_store);
        var dead = await BeginAsync(process);
        dead.Publish(Chunk("half an ans"));
        dead.Publish(new RunEvent.ToolStarted("a", new ToolCall("c", "ls", Engine.Json("{}"))));
        var (live, _) = await NextAsync(process, 2);
        Assert.Equal(process.Published.All.Lines(), live.Lines());
        dead.Dispose();

        var run = (await _store.FindAsync("t", Cancel))!;
        using var next = new RunSession(Core.Sessions.Transitions.Start.Apply(run, default).Run, process.Services, new RunLimits());
        await next.CommitAsync((it, _) => new RunChange(it, []), Cancel);
        await next.CommitAsync(Core.Sessions.Transitions.Complete.Apply, Cancel);
        var (events, _) = await process.WatchAsync();

        Assert.Equal([EventKinds.End], events.Select(value => value.Type));
        Assert.True(events[0].Sequence > live[^1].Sequence);
    }

    [Fact]
    public async Task A_message_that_a_lost_worker_started_is_superseded_before_it_is_repeated()
    {
        await using var process = new LiveProcess(_store);
        using var killed = new CancellationTokenSource();
        var services = process.Services with { Checkpoints = new DyingStore(_store, killed) };
        var first = new RunExecutor(
            services,
            _store,
            new CompiledAgents(new(Agents.TestAgents.Models, new Core.Tools.ToolCatalog([]), new RunLimits()))
        );
        await Assert.ThrowsAnyAsync<Exception>(() =>
            first.StartAsync(
                new RunRequest("t", "r1", System.Text.Encoding.UTF8.GetBytes(Slow), Engine.Json("""{"user_request": "go"}""")),
                default
            )
        );
        var shown = process.Published.All.Count;

        await process.ResumeAsync();

        var received = process.Published.All.Skip(shown).Select(value => JsonElement.Parse(value.Json.Span).GetProperty("data")).ToList();
        Assert.True(received[0].GetProperty("superseded").GetBoolean());
        Assert.Equal(received[0].GetProperty("message_id").GetString(), received[1].GetProperty("message_id").GetString());
        Assert.Single(received, data => data.TryGetProperty("superseded", out _));
    }

    [Fact]
    public async Task The_number_of_watchers_is_limited()
    {
        await using var process = new LiveProcess(_store, settings: new StreamSettings { MaxWatchers = 2 });
        using var session = await BeginAsync(process);
        var first = await process.Live.WatchAsync("t", 0, Cancel);
        await using var second = await process.Live.WatchAsync("t", 0, Cancel);

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await process.Live.WatchAsync("t", 0, Cancel));
        Assert.Equal(FaultCodes.StreamUnavailable, fault.Code);
        await first.DisposeAsync();

        await (await process.Live.WatchAsync("t", 0, Cancel)).DisposeAsync();
    }

    [Fact]
    public async Task A_process_that_shuts_down_disconnects_its_watchers()
    {
        var process = new LiveProcess(_store);
        using var session = await BeginAsync(process);
        await using var watch = await process.Live.WatchAsync("t", 0, Cancel);
        await process.StopAsync();

        await foreach (var received in watch.ReadAsync(Cancel))
        {
            Assert.Empty(received);
        }
        Assert.Equal(WatchEnd.Stopping, watch.End);
        await watch.DisposeAsync();
        await process.DisposeAsync();
    }

    [Fact]
    public async Task Deleting_a_thread_disconnects_its_watchers()
    {
        await using var process = new LiveProcess(_store);
        using var session = await BeginAsync(process);
        await using var watch = await process.Live.WatchAsync("t", 0, Cancel);
        await _store.DeleteThreadAsync("t", Cancel);

        await foreach (var received in watch.ReadAsync(Cancel))
        {
            Assert.Empty(received);
        }
        Assert.Equal(WatchEnd.ThreadDeleted, watch.End);
    }

    [Fact]
    public async Task A_heartbeat_is_sent_while_there_are_no_events()
    {
        await using var process = new LiveProcess(_store, settings: new StreamSettings { HeartbeatSeconds = 0.05 });
        using var session = await BeginAsync(process);
        await using var watch = await process.Live.WatchAsync("t", 0, Cancel);

        await foreach (var received in watch.ReadAsync(Cancel))
        {
            Assert.Empty(received);
            break;
        }
    }

    internal static RunEvent Chunk(string text) => new RunEvent.LlmStream("a", "m", text);

    /// <summary>A running run that has stored its first checkpoint.</summary>
    internal static async Task<RunSession> BeginAsync(LiveProcess process, string threadId = "t")
    {
        var session = new RunSession(
            new Run
            {
                ThreadId = threadId,
                RunId = "r",
                DefinitionHash = "",
                Status = RunStatus.Running,
                Fence = 1,
                Attempt = 1,
            },
            process.Services,
            new RunLimits()
        );
        await session.CommitAsync((run, _) => new RunChange(run, []), Cancel);
        return session;
    }

    /// <summary>Reads the given number of events.</summary>
    private static async Task<(List<StreamEvent> Events, long Last)> NextAsync(LiveProcess process, int count, long after = 0)
    {
        await using var watch = await process.Live.WatchAsync("t", after, Cancel);
        var events = new List<StreamEvent>();
        await foreach (var received in watch.ReadAsync(Cancel))
        {
            events.AddRange(received);
            if (events.Count >= count)
            {
                break;
            }
        }
        return ([.. events.Take(count)], watch.Last);
    }

    private async Task<(List<StreamEvent> Events, WatchEnd? End)> WatchOnceThereAsync(LiveProcess process)
    {
        while (await _store.FindAsync("t", Cancel) is null)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Cancel);
        }
        return await process.WatchAsync();
    }

    /// <summary>Accepts the first commit and fails the second, as if the worker had been lost.</summary>
    private sealed class DyingStore(ICheckpointStore store, CancellationTokenSource killed) : ICheckpointStore
    {
        private int _commits;

        public async ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
        {
            if (++_commits > 1)
            {
                await killed.CancelAsync();
                throw new FaultException(FaultCodes.StoreUnavailable, "dead");
            }
            await store.CommitAsync(commit, cancellationToken);
        }

        public ValueTask<LoadedCheckpoint?> LoadAsync(
            string threadId,
            string ns,
            string? checkpointId,
            CancellationToken cancellationToken
        ) => store.LoadAsync(threadId, ns, checkpointId, cancellationToken);

        public IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken) =>
            store.ListAsync(query, cancellationToken);

        public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
            store.FindToolCallAsync(threadId, taskId, cancellationToken);

        public ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
