using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Tests.Events;

/// <summary>What a serving process has of live events, on a store and a transport that others may share.</summary>
internal sealed class LiveProcess : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    public LiveProcess(InMemoryCheckpointStore store, IEventTransport? transport = null, StreamSettings? settings = null)
    {
        settings ??= new StreamSettings();
        var agents = new CompiledAgents(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits()));
        Replay = new EventReplay(store, store, store, agents, settings.State);
        Live = new LiveEvents(Replay, transport, settings, TimeProvider.System, NullLogger.Instance);
        Told = new ToldEvents(Live, settings.State);
        Services = new RunServices(store, Told, TimeProvider.System);
        Executor = new RunExecutor(Services, store, agents);
        _running = Live.RunAsync(_stopping.Token);
    }

    public LiveEvents Live { get; }

    public EventReplay Replay { get; }

    /// <summary>Everything that the runs here told, encoded as it was told.</summary>
    public ToldEvents Told { get; }

    public RunServices Services { get; }

    public RunExecutor Executor { get; }

    public Task<RunOutcome> StartAsync(string definition, string threadId = "t", string runId = "r1", RunSignals signals = default) => Executor.StartAsync(
        new RunRequest(threadId, runId, Encoding.UTF8.GetBytes(definition), Engine.Json("""{"user_request": "go"}""")), signals);

    public Task<RunOutcome> ResumeAsync(string threadId = "t", params (string Id, string Answer)[] answers) =>
        Executor.ResumeAsync(threadId, answers.ToDictionary(it => it.Id, it => JsonElement.Parse(it.Answer)), default);

    /// <summary>Watches until the watch ends by itself.</summary>
    public async Task<(List<StreamEvent> Events, WatchEnd? End)> WatchAsync(string threadId = "t", long after = 0)
    {
        await using var watch = await Live.WatchAsync(threadId, after, TestContext.Current.CancellationToken);
        var events = new List<StreamEvent>();
        await foreach (var told in watch.ReadAsync(TestContext.Current.CancellationToken))
        {
            events.AddRange(told);
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

/// <summary>Passes events on and keeps them.</summary>
internal sealed class ToldEvents(IEventStream to, StreamState form) : IEventStream
{
    private readonly StreamState _form = form;
    private readonly ConcurrentQueue<StreamEvent> _told = new();

    public IReadOnlyList<StreamEvent> All => [.. _told];

    public IEnumerable<StreamEvent> Logged => _told.Where(value => value.IsLogged);

    public IEventSink Open(string threadId, long last) => new Sink(this, to.Open(threadId, last));

    private sealed class Sink(ToldEvents told, IEventSink sink) : IEventSink
    {
        public void Publish(EventEnvelope envelope)
        {
            told._told.Enqueue(RunEventJson.Encode(envelope, told._form));
            sink.Publish(envelope);
        }

        public void Stored(long last) => sink.Stored(last);

        public void Dispose() => sink.Dispose();
    }
}

internal static class StreamText
{
    /// <summary>Number and JSON of each, a line an event: what two readers must agree on.</summary>
    public static string[] Lines(this IEnumerable<StreamEvent> events) => [.. events.Select(value => $"{value.Sequence} {Encoding.UTF8.GetString(value.Json.Span)}")];
}
