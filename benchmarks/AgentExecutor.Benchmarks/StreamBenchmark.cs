using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Streaming;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures live events with a real redis-server: how many events a process publishes, how long a token takes from the run in one process
/// to 200 HTTP watchers of another process, and how an outage of Redis affects the throughput of jobs.
/// </summary>
internal static class StreamBenchmark
{
    private const int Watchers = 200;
    private const int Runs = 50;

    /// <summary>A run that streams 50 tokens per second for ten seconds.</summary>
    private const string Talker = """
        {"name": "talker", "nodes": [{"id": "a", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "m",
         "script": [{"text": "TEXT", "chunk_size": 5, "chunk_delay_ms": 20}]}}}]}
        """;

    public static async Task<Dictionary<string, double>> RunAsync()
    {
        await using var redis = await RedisServer.StartOwnAsync();
        var figures = new Dictionary<string, double>();
        await PublishAsync(redis, 100_000, figures); // until the code is fully compiled
        await PublishAsync(redis, 1_000_000, figures);
        await using var postgres = (BenchStore.Postgres)await BenchStore.OpenAsync("postgres");
        await WatchAsync(postgres, redis, figures);
        await postgres.ExecuteAsync("TRUNCATE threads, runs, checkpoints, checkpoint_writes, checkpoint_blobs, events, outbox");
        figures["job_slowdown_with_redis_down"] = await SlowdownAsync(postgres, redis);
        return figures;
    }

    /// <summary>Publishes the tokens of 64 threads as fast as the transport accepts them without dropping any.</summary>
    private static async Task PublishAsync(RedisServer redis, int count, Dictionary<string, double> figures)
    {
        const int Threads = 64;
        var settings = new StreamSettings();
        await using var transport = AdapterCatalog.OpenRedisTransport(
            redis.Settings(),
            settings,
            TimeProvider.System,
            NullLoggerFactory.Instance
        );
        await transport.ConnectedAsync(CancellationToken.None);
        using var live = Live(transport, settings);
        using var counts = new Counts();
        using var stopping = new CancellationTokenSource();
        var running = live.RunAsync(stopping.Token);
        var prefix = Guid.NewGuid().ToString("N");
        var sinks = Enumerable.Range(0, Threads).Select(i => live.Open($"{prefix}-{i}", 0)).ToList();
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < count; i++)
        {
            while (i - counts.Published > settings.BufferEvents / 2)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
            }
            sinks[i % Threads]
                .Publish(
                    new EventEnvelope(
                        $"{prefix}-{i % Threads}",
                        (i / Threads) + 1,
                        TimeProvider.System.GetUtcNow(),
                        new RunEvent.LlmStream("writer", "ai-0000af707c3f41760212d5e3326d2c7d", " token")
                    )
                );
        }
        while (counts.Published < count)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
        figures["events_per_second"] = count / watch.Elapsed.TotalSeconds;
        figures["events_dropped"] = counts.Dropped;
        Console.Error.WriteLine($"published {count} in {watch.Elapsed.TotalSeconds:0.0} s");
        var kept = await transport.ReadAsync($"{prefix}-0", 0, long.MaxValue, CancellationToken.None);
        figures["bytes_per_token_event"] = kept.Average(value => value.Json.Length);
        await stopping.CancelAsync();
        await running;
    }

    private static LiveEvents Live(IEventTransport transport, StreamSettings settings)
    {
        var store = new InMemoryCheckpointStore();
        var agents = new CompiledAgents(new DefinitionEnvironment(new ModelCatalog([]), new ToolCatalog([]), new RunLimits()));
        return new LiveEvents(
            new EventReplay(store, store, store, settings.State),
            transport,
            settings,
            TimeProvider.System,
            NullLogger.Instance
        );
    }

    /// <summary>The runs execute in one process and the watchers are connected to another, so every token passes through Redis.</summary>
    private static async Task WatchAsync(BenchStore.Postgres store, RedisServer redis, Dictionary<string, double> figures)
    {
        using var executor = BenchWorker.Start(store, null, ("REDIS_URL", redis.Url), ("ROLES", "executor"));
        using var watched = BenchWorker.Start(store, null, ("REDIS_URL", redis.Url), ("ROLES", "janitor"));
        await Task.WhenAll(executor.ReadyAsync(), watched.ReadyAsync());
        using var http = new HttpClient { BaseAddress = new Uri(await watched.UrlAsync()), Timeout = Timeout.InfiniteTimeSpan };
        await SubmitAsync(store.Queue);
        var latencies = new ConcurrentBag<List<double>>();
        await Task.WhenAll(
            Enumerable.Range(0, Watchers).Select(i => Task.Run(async () => latencies.Add(await WatchAsync(http, $"talker-{i % Runs}"))))
        );
        var sorted = latencies.SelectMany(times => times).Order().ToArray();
        figures["publish_to_watcher_p50_ms"] = Report.Percentile(sorted, 0.5);
        figures["publish_to_watcher_p99_ms"] = Report.Percentile(sorted, 0.99);
        figures["watched_events"] = sorted.Length;
        Console.Error.WriteLine($"watched {sorted.Length}");
    }

    private static async Task SubmitAsync(IRunQueue queue)
    {
        var json = Encoding.UTF8.GetBytes(Talker.Replace("TEXT", string.Concat(Enumerable.Repeat("word ", 500)), StringComparison.Ordinal));
        var definition = new StoredDefinition(AgentCompiler.HashOf(json), json);
        var now = TimeProvider.System.GetUtcNow();
        for (var i = 0; i < Runs; i++)
        {
            var run = new Run
            {
                ThreadId = $"talker-{i}",
                RunId = $"talker-{i}",
                Name = "talker",
                DefinitionHash = definition.Hash,
                CreatedAt = now,
                UpdatedAt = now,
            };
            await queue.SubmitAsync(
                [new RunSubmission(run, definition, """{"user_request": "go"}"""u8.ToArray())],
                null,
                CancellationToken.None
            );
        }
    }

    /// <summary>
    /// Returns the times from publishing to reading each token, except for the first second, when watchers still connect.
    /// </summary>
    private static async Task<List<double>> WatchAsync(HttpClient http, string thread)
    {
        var latencies = new List<double>();
        using var reader = new StreamReader(await http.GetStreamAsync(new Uri($"/threads/{thread}/events", UriKind.Relative)));
        var from = TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(1);
        while (await reader.ReadLineAsync() is { } line)
        {
            const string Mark = "\"ts\":\"";
            if (line.StartsWith("data: {\"event_type\":\"on_llm_stream\"", StringComparison.Ordinal))
            {
                var at = line.LastIndexOf(Mark, StringComparison.Ordinal) + Mark.Length;
                var published = DateTimeOffset.Parse(line.AsSpan(at, line.IndexOf('"', at) - at), CultureInfo.InvariantCulture);
                if (published > from)
                {
                    latencies.Add((TimeProvider.System.GetUtcNow() - published).TotalMilliseconds);
                }
            }
        }
        return latencies;
    }

    /// <summary>
    /// Measures one worker with and without Redis alternately, and returns the throughput with Redis divided by that without.
    /// </summary>
    private static async Task<double> SlowdownAsync(BenchStore.Postgres store, RedisServer redis)
    {
        const int Rounds = 4;
        const int Jobs = 4_000;
        await using var nats = await NatsServer.StartOwnAsync();
        await using var connection = JobsBenchmark.Connect(nats);
        using var worker = BenchWorker.Start(store, nats, ("REDIS_URL", redis.Url));
        await worker.ReadyAsync();
        await JobsBenchmark.ThreeStepsAsync(connection, "warm", 2 * Jobs);
        var (up, down) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            Console.Error.WriteLine($"round {round}");
            up.Add(await JobsBenchmark.ThreeStepsAsync(connection, $"up{round}", Jobs));
            await redis.KillAsync();
            down.Add(await JobsBenchmark.ThreeStepsAsync(connection, $"down{round}", Jobs));
            await redis.StartAgainAsync();
        }
        return Report.Percentile([.. up.Order()], 0.5) / Report.Percentile([.. down.Order()], 0.5);
    }

    /// <summary>Counts the events that the transport accepted, and those that were dropped before it.</summary>
    private sealed class Counts : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _published;
        private long _dropped;

        public Counts()
        {
            _ = Telemetry.Meter; // the instruments must exist before the listener starts
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (
                    instrument == Telemetry.RedisPublishes
                    || instrument == Telemetry.StreamEventsDropped
                    || instrument == Telemetry.RedisPublishErrors
                )
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>(
                (instrument, value, _, _) =>
                    Interlocked.Add(ref instrument == Telemetry.RedisPublishes ? ref _published : ref _dropped, value)
            );
            _listener.Start();
        }

        public long Published => Volatile.Read(ref _published);

        public long Dropped => Volatile.Read(ref _dropped);

        public void Dispose() => _listener.Dispose();
    }
}
