using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Streaming;

namespace AgentExecutor.Tests.Streaming;

/// <summary>A watcher presents a number of a deleted thread after another thread with the same id was created.</summary>
public sealed class EarlierThreadCheckTests
{
    private const long OldNumber = 900;

    private const string Steps = """
        {"nodes": [{"id": "a", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "m", "script": [
           {"tool_calls": [{"id": "1", "name": "ls", "args": {}}]},
           {"tool_calls": [{"id": "2", "name": "ls", "args": {}}], "delay_ms": 150},
           {"tool_calls": [{"id": "3", "name": "ls", "args": {}}], "delay_ms": 150},
           {"tool_calls": [{"id": "4", "name": "ls", "args": {}}], "delay_ms": 150},
           {"text": "done", "delay_ms": 1500}]}}}]}
        """;

    private const string LateStart = """
        {"nodes": [{"id": "a", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "done", "delay_ms": 3000}]}}}]}
        """;

    private readonly InMemoryCheckpointStore _store = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_events_of_an_ended_thread_are_returned_from_the_start()
    {
        await using var process = new LiveProcess(_store);
        await process.StartAsync(Steps);

        var (events, end) = await process.WatchAsync(after: OldNumber);

        Assert.Equal(WatchEnd.RunEnded, end);
        Assert.Equal(process.Published.Logged.Lines(), events.Where(value => value.IsLogged).Lines());
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task The_events_of_a_running_run_are_returned_from_the_start_before_its_end(bool elsewhere, bool overTransport)
    {
        var transport = overTransport ? new InMemoryEventTransport() : null;
        await using var here = new LiveProcess(_store, transport);
        await using var there = new LiveProcess(_store, transport?.Join());
        var run = here.StartAsync(Steps);
        await Eventually.True(() => Task.FromResult(here.Published.All.Count > 0));
        await using var watch = await (elsewhere ? there : here).Live.WatchAsync("t", OldNumber, Cancel);
        var received = new List<StreamEvent>();
        bool? wasRunning = null;

        await foreach (var some in watch.ReadAsync(Cancel))
        {
            wasRunning ??= some.Count == 0 ? null : !run.IsCompleted;
            received.AddRange(some);
        }
        await run;

        Assert.True(wasRunning);
        Assert.Equal(here.Published.Logged.Lines(), received.Where(value => value.IsLogged).Lines());
    }

    [Fact]
    public async Task A_watcher_of_a_replaced_thread_is_disconnected_and_then_receives_the_new_thread()
    {
        await using var process = new LiveProcess(_store);
        var old = process.StartAsync(Steps);
        await Eventually.True(() => Task.FromResult(process.Published.Logged.Count() > 2));
        await using var stays = await process.Live.WatchAsync("t", 0, Cancel);
        await foreach (var _ in stays.ReadAsync(Cancel))
        {
            // Until the end of the run. The thread is followed until the watch is disposed of.
        }
        await old;
        var last = process.Published.All[^1].Sequence;
        await _store.DeleteThreadAsync("t", Cancel);
        var next = process.StartAsync(LateStart);
        await Eventually.True(async () => await _store.FindAsync("t", Cancel) is not null);

        var (none, end) = await process.WatchAsync(after: last);
        await stays.DisposeAsync();
        var (events, _) = await process.WatchAsync(after: last);

        Assert.Empty(none);
        Assert.Equal(WatchEnd.ThreadDeleted, end);
        await next;
        Assert.Equal(
            process.Published.All.SkipWhile(value => value.Sequence != last).Skip(1).Where(value => value.IsLogged).Lines(),
            events.Where(value => value.IsLogged).Lines()
        );
    }
}
