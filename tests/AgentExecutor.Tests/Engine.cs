using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Tests;

/// <summary>Runs graphs that a test builds itself on the in-memory store, and keeps their events.</summary>
public sealed class Engine
{
    public InMemoryCheckpointStore Store { get; } = new();

    public KeptEvents Events { get; } = new();

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public RunLimits Limits { get; init; } = new();

    /// <summary>Wraps the store, for tests that intercept its calls.</summary>
    public Func<ICheckpointStore, ICheckpointStore> Wrap { get; init; } = store => store;

    /// <summary>How models are called.</summary>
    public ModelCallSettings Calls { get; init; } = new();

    private ModelGates? _models;
    private long _fence;

    /// <summary>
    /// Creates a session with the next fencing token, for a new attempt, or for a new run if the previous one has finished.
    /// </summary>
    public RunSession Session(string thread = "t", RunActivity? activity = null, CancellationToken stopping = default) =>
        new(
            new Run
            {
                ThreadId = thread,
                RunId = RunIdOf(thread),
                DefinitionHash = "",
                Status = RunStatus.Running,
                Fence = ++_fence,
                Attempt = 1,
            },
            new RunServices(Wrap(Store), Events, Time) { Models = _models ??= new ModelGates(Calls, Time) { Random = () => 0 } },
            Limits,
            activity: activity,
            stopping: stopping
        );

    public async Task<GraphOutcome> RunAsync(Graph graph, params (string Channel, object Update)[] input)
    {
        using var session = Session();
        return await RunAsync(graph, session, new GraphInput.Begin([.. input.Select(it => KeyValuePair.Create(it.Channel, it.Update))]));
    }

    public async Task<GraphOutcome> ResumeAsync(Graph graph, params (string Id, string Answer)[] answers)
    {
        using var session = Session();
        foreach (var (id, answer) in answers)
        {
            session.Answers[id] = JsonBytes.Text(answer);
        }
        return await RunAsync(graph, session, GraphInput.Continue.Instance);
    }

    public static async Task<GraphOutcome> RunAsync(Graph graph, RunSession session, GraphInput input) =>
        await new GraphRunner(graph, GraphScope.Root(session)).RunAsync(input, TestContext.Current.CancellationToken);

    private string RunIdOf(string thread) =>
        Store.FindAsync(thread, CancellationToken.None).AsTask().Result switch
        {
            null => "run",
            { IsFinished: true } => $"run-{_fence + 1}",
            var run => run.RunId,
        };

    public async Task<List<StoredCheckpoint>> HistoryAsync(string? ns = "") =>
        await Store
            .ListAsync(new CheckpointQuery("t", ns), TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);

    public static Node Node(string name, Action<NodeContext> body) =>
        new(
            name,
            new DelegateNode(
                (context, _) =>
                {
                    body(context);
                    return ValueTask.CompletedTask;
                }
            )
        );

    /// <summary>Creates a node that appends its name to the channel "log".</summary>
    public static Node Logs(string name) => Node(name, context => context.WriteJson("log", JsonBytes.Text(name)));

    public static ImmutableArray<Channel> Log { get; } = [new AppendChannel("log")];

    /// <summary>Creates a node body that appends a text to the channel "log".</summary>
    public static object Update(string text) => new AppendChannel("log").ReadUpdate(JsonBytes.Text(text), "");

    public static string LogOf(GraphOutcome outcome) => string.Join(' ', LogOf(outcome.State));

    public static IEnumerable<string> LogOf(ChannelState state) =>
        (state.Get<ImmutableList<JsonElement>>("log") ?? []).Select(JsonBytes.Display);

    public static JsonElement Json(string json) => JsonElement.Parse(json);
}

/// <summary>Keeps all events in order.</summary>
public sealed class KeptEvents : IEventStream
{
    private readonly List<EventEnvelope> _kept = [];

    public IReadOnlyList<EventEnvelope> All
    {
        get
        {
            lock (_kept)
            {
                return [.. _kept];
            }
        }
    }

    public IEnumerable<T> Of<T>()
        where T : RunEvent => All.Select(envelope => envelope.Event).OfType<T>();

    public IEventSink Open(string threadId, long last) => new Sink(_kept);

    private sealed class Sink(List<EventEnvelope> kept) : IEventSink
    {
        public void Publish(EventEnvelope envelope)
        {
            lock (kept)
            {
                kept.Add(envelope);
            }
        }

        public void Stored(long last)
        {
            // All events are kept.
        }

        public void Dispose()
        {
            // The events are kept after the end of the attempt.
        }
    }
}
