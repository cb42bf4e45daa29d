using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Tools.External;
using AgentExecutor.Core.Workers;
using AgentExecutor.Tests.Agents;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Tests.Jobs;

/// <summary>A complete job service in memory: bus, queue, store, outbox, and real workers.</summary>
public sealed class JobService : IAsyncDisposable
{
    private static readonly TimeSpan AckWait = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<RunningWorker, byte> _workers = new();
    private readonly CompiledAgents _agents = new(
        new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([new EventToolSource()]), new RunLimits())
    );
    private readonly InMemoryRunQueue _queue;
    private int _names;

    public JobService()
    {
        Store = new InMemoryCheckpointStore(Time);
        _queue = new InMemoryRunQueue(Store, Time);
        Queue = _queue;
        Outbox = new InMemoryOutbox(Store);
        Bus = new RecordingBus(new InMemoryEventBus(new BusSettings { AckWaitSeconds = AckWait.TotalSeconds }, Time));
        Services = new RunServices(Store, Events, Time)
        {
            Interrupts = Store,
            Keeper = new LeaseKeeper(Queue, new Lease("service", TimeSpan.FromMinutes(10)), Time),
        };
        Waiters = new OutcomeWaiters(Outbox, Time);
        Control = new RunControl(Services, Store, Queue);
        DeadLetters = new DeadLetters(Bus, Time);
    }

    public QuickTime Time { get; } = new(20);

    public RunServices Services { get; }

    public InMemoryCheckpointStore Store { get; }

    public KeptEvents Events { get; } = new();

    /// <summary>Wraps the queue, for tests that intercept its calls. Must be set before a worker is started.</summary>
    public IRunQueue Queue { get; set; }

    public InMemoryOutbox Outbox { get; }

    public RecordingBus Bus { get; }

    public OutcomeWaiters Waiters { get; }

    public RunControl Control { get; set; }

    public DeadLetters DeadLetters { get; }

    public WorkerSettings Settings { get; set; } = new() { Slots = 20 };

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public JobAdmitter Admitter => new(_agents, Queue, Time);

    /// <summary>Starts a worker with a lease of its own. <see cref="StopAsync"/> stops it.</summary>
    public RunningWorker StartWorker()
    {
        var keeper = new LeaseKeeper(Queue, new Lease($"worker-{Interlocked.Increment(ref _names)}", TimeSpan.FromMinutes(10)), Time);
        var services = Services with { Keeper = keeper };
        var executor = new RunExecutor(services, Store, _agents);
        var worker = new Worker(
            new WorkerServices(Queue, Outbox, Bus, Admitter, executor, Control, keeper, Waiters, Store),
            Settings,
            Time,
            NullLoggerFactory.Instance
        );
        var stopping = new CancellationTokenSource();
        var running = new RunningWorker(worker.RunAsync(TimeSpan.FromMilliseconds(50), stopping.Token), stopping);
        _workers[running] = 0;
        return running;
    }

    /// <summary>Asks a worker to shut down, and waits until it has.</summary>
    public async Task StopAsync(RunningWorker worker)
    {
        Assert.True(_workers.TryRemove(worker, out _));
        await worker.Stopping.CancelAsync();
        await worker.Running.WaitAsync(Eventually.Limit, Cancel);
        worker.Stopping.Dispose();
    }

    /// <summary>Returns a job whose only agent has this script.</summary>
    public static string Job(string id, string script = """[{"text": "done"}]""", string more = "") =>
        $$$"""
            {"trace_id": "trace-{{{id}}}", "job_id": "{{{id}}}", "input_payload": {"user_request": "go"}, "agent_definition": {{{Definition(
                script,
                more
            )}}}}
            """;

    public static string Definition(string script, string more = "") =>
        """
            {"nodes": [{"id": "a", "type": "orchestrator",
             "config": {"model": {"provider": "scripted", "model": "m", "script": SCRIPT}MORE}}]}
            """.Replace("SCRIPT", script, StringComparison.Ordinal).Replace("MORE", more, StringComparison.Ordinal);

    public ValueTask SendAsync(params string[] bodies) =>
        Bus.PublishAsync([.. bodies.Select(body => new BusMessage("agent.execute.test", Encoding.UTF8.GetBytes(body)))], Cancel);

    /// <summary>Stores a job for any worker, as the HTTP API does.</summary>
    public async Task AdmitAsync(string body) =>
        await Admitter.AdmitAsync([JobRequestReader.ReadMessage(null, [], Encoding.UTF8.GetBytes(body))], null, Cancel);

    public async Task<List<StoredMessage>> ReadAsync(BusStream stream) =>
        [.. await Bus.ReadAsync(new BusQuery(stream, int.MaxValue), Cancel)];

    /// <summary>Returns job, status and data of the results so far, except for those that a test published itself.</summary>
    public async Task<List<(string Job, string Status, JsonElement Data)>> ResultsAsync() =>
        [
            .. (await ReadAsync(BusStream.Results))
                .Where(message => !message.Id.StartsWith("other", StringComparison.Ordinal))
                .Select(message =>
                {
                    var json = JsonElement.Parse(message.Body.Span);
                    return (json.TextProperty("subject")!, message.Subject["agent.status.".Length..], json.GetProperty("data"));
                }),
        ];

    public Task HasResultsAsync(int count) => Eventually.True(async () => (await ResultsAsync()).Count >= count);

    /// <summary>Waits until all messages are acknowledged or terminated.</summary>
    public Task HasSettledAsync(int messages) =>
        Eventually.True(() =>
            Task.FromResult(
                Bus.Lines.Count(line =>
                    line.StartsWith("ack ", StringComparison.Ordinal) || line.StartsWith("term ", StringComparison.Ordinal)
                ) >= messages
            )
        );

    public async Task<RunStatus?> StatusAsync(string job) => (await Store.FindAsync(job, Cancel))?.Status;

    public Task HasStatusAsync(string job, RunStatus status) => Eventually.True(async () => await StatusAsync(job) == status);

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers.Keys)
        {
            await StopAsync(worker);
        }
        await Bus.DisposeAsync();
        _queue.Dispose();
    }
}

/// <summary>A running worker.</summary>
public sealed record RunningWorker(Task Running, CancellationTokenSource Stopping);
