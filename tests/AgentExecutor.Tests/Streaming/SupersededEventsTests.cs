using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Streaming;

/// <summary>A worker that was suspended for longer than its lease publishes the end of a tool call that another worker repeats.</summary>
public sealed class SupersededEventsTests : IAsyncDisposable
{
    private static readonly ToolCall Call = new("c1", "count", Engine.Json("{}"));
    private static readonly EventEnvelope Stale = Event(11, 3, new RunEvent.ToolEnded("a", Call, "old", false, TimeSpan.Zero));
    private static readonly EventEnvelope Newer = Event(12, 5, new RunEvent.ToolStarted("a", Call));
    private static readonly EventEnvelope End = Event(13, 5, new RunEvent.Ended(RunStatus.Completed, new RunUsage()));

    private readonly InMemoryCheckpointStore _store = new();
    private readonly InMemoryEventTransport _transport = new();

    public ValueTask DisposeAsync() => _transport.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_watcher_receives_no_events_of_an_attempt_after_those_of_a_later_one(bool comesLate)
    {
        await StoreAsync(RunStatus.Running, 10);
        await using var process = new LiveProcess(_store, _transport.Join());
        await using var watch = await process.Live.WatchAsync("t", 10, TestContext.Current.CancellationToken);
        await PublishAsync(Newer);
        await PublishAsync(comesLate ? Event(14, 3, Stale.Event) : Stale);

        await StoreAsync(RunStatus.Completed, 13, Newer, End);

        var received = new List<StreamEvent>();
        await foreach (var events in watch.ReadAsync(TestContext.Current.CancellationToken))
        {
            received.AddRange(events);
        }
        Assert.Equal([(12, 5), (13, 5)], received.Select(it => (it.Sequence, it.Attempt)));
    }

    [Fact]
    public void An_event_names_the_attempt_that_published_it()
    {
        var json = JsonBytes.Element(Newer, RunEventJson.Write);

        Assert.Equal(5, json.GetProperty("attempt").GetInt64());
        Assert.Equal(5, RunEventReader.Read("t", json)!.Attempt);
    }

    private static EventEnvelope Event(long sequence, long attempt, RunEvent value) =>
        new("t", sequence, default, value) { Attempt = attempt };

    private async Task PublishAsync(EventEnvelope envelope) =>
        await _transport.PublishAsync([("t", RunEventJson.Encode(envelope, StreamState.Updates))], TestContext.Current.CancellationToken);

    private async Task StoreAsync(RunStatus status, long last, params EventEnvelope[] events)
    {
        var run = new Run
        {
            ThreadId = "t",
            RunId = "r",
            DefinitionHash = "h",
            Status = status,
            Fence = 5,
            Attempt = 3,
            LastSequence = last,
        };
        var json = JsonBytes.Write(
            events,
            static (writer, all) =>
            {
                writer.WriteStartArray();
                foreach (var envelope in all)
                {
                    RunEventJson.WriteLogged(writer, envelope);
                }
                writer.WriteEndArray();
            }
        );
        await _store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 5,
                Run = run,
                Acquires = events.Length == 0,
                Events = events.Length == 0 ? null : new StoredEvents(last, json),
            },
            TestContext.Current.CancellationToken
        );
    }
}
