using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Streaming;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Tests.Streaming;

/// <summary>The live events of a serving process, on a store and a transport that other processes can share.</summary>
internal sealed class LiveProcess : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    public LiveProcess(InMemoryCheckpointStore store, IEventTransport? transport = null, StreamSettings? settings = null)
    {
        settings ??= new StreamSettings();
        var agents = new CompiledAgents(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits()));
        Replay = new EventReplay(store, store, store, settings.State);
        Live = new LiveEvents(Replay, transport, settings, TimeProvider.System, NullLogger.Instance);
        Published = new PublishedEvents(Live, settings.State);
        Services = new RunServices(store, Published, TimeProvider.System);
        Executor = new RunExecutor(Services, store, agents);
        _running = Live.RunAsync(_stopping.Token);
    }

    public LiveEvents Live { get; }

    public EventReplay Replay { get; }

    /// <summary>All events that the runs of this process have published, as they were encoded.</summary>
    public PublishedEvents Published { get; }

    public RunServices Services { get; }

    public RunExecutor Executor { get; }

    public Task<RunOutcome> StartAsync(string definition, string threadId = "t", string runId = "r1", RunSignals signals = default) =>
        Executor.StartAsync(
            new RunRequest(threadId, runId, Encoding.UTF8.GetBytes(definition), Engine.Json("""{"user_request": "go"}""")),
            signals
        );

    public Task<RunOutcome> ResumeAsync(string threadId = "t", params (string Id, string Answer)[] answers) =>
        Executor.ResumeAsync(threadId, answers.ToDictionary(it => it.Id, it => JsonElement.Parse(it.Answer)), default);

    /// <summary>Watches the thread until the watch ends.</summary>
    public async Task<(List<StreamEvent> Events, WatchEnd? End)> WatchAsync(string threadId = "t", long after = 0)
    {
        await using var watch = await Live.WatchAsync(threadId, after, TestContext.Current.CancellationToken);
        var events = new List<StreamEvent>();
        await foreach (var received in watch.ReadAsync(TestContext.Current.CancellationToken))
        {
            events.AddRange(received);
        }
        return (events, watch.End);
    }

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Live.Dispose();
        _stopping.Dispose();
    }
}

/// <summary>Forwards events and keeps them.</summary>
internal sealed class PublishedEvents(IEventStream to, StreamState form) : IEventStream
{
    private readonly StreamState _form = form;
    private readonly ConcurrentQueue<StreamEvent> _published = new();

    public IReadOnlyList<StreamEvent> All => [.. _published];

    public IEnumerable<StreamEvent> Logged => _published.Where(value => value.IsLogged);

    public IEventSink Open(string threadId, long last) => new Sink(this, to.Open(threadId, last));

    private sealed class Sink(PublishedEvents owner, IEventSink sink) : IEventSink
    {
        public void Publish(EventEnvelope envelope)
        {
            owner._published.Enqueue(RunEventJson.Encode(envelope, owner._form));
            sink.Publish(envelope);
        }

        public void Stored(long last) => sink.Stored(last);

        public void Dispose() => sink.Dispose();
    }
}

internal static class StreamText
{
    /// <summary>Returns one line per event with its number and JSON, which must be the same for all readers.</summary>
    public static string[] Lines(this IEnumerable<StreamEvent> events) =>
        [.. events.Select(value => $"{value.Sequence} {Encoding.UTF8.GetString(value.Json.Span)}")];
}
