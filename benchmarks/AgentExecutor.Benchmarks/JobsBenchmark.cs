using System.Diagnostics;
using System.Globalization;
using System.Text;
using AgentExecutor.IntegrationTests.Servers;
using NATS.Client.Core;
using NATS.Client.JetStream;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures jobs of one real worker, from the CloudEvent of the request to that of the result. The sender, the worker, nats-server and
/// PostgreSQL share the machine. The scripted model answers at once.
/// </summary>
internal static class JobsBenchmark
{
    private const string OneStep = """
        {"name": "one", "nodes": [{"id": "a", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "done"}]}}}]}
        """;

    private const string ThreeSteps = """
        {"name": "three", "nodes": [{"id": "a", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "m", "script": [
          {"tool_calls": [{"name": "ls", "args": {"path": "/"}}]}, {"text": "done"}]}}}]}
        """;

    private const string Waiting = """
        {"name": "waits", "nodes": [{"id": "a", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "done", "delay_ms": 600000}]}}}]}
        """;

    public static async Task<Dictionary<string, double>> RunAsync(string bus, string store)
    {
        if (bus != "nats")
        {
            throw new ArgumentException($"there is no bus '{bus}' to measure: nats");
        }
        await using var postgres =
            await BenchStore.OpenAsync(store) as BenchStore.Postgres
            ?? throw new ArgumentException("jobs over nats are measured on postgres");
        await using var nats = await NatsServer.StartOwnAsync();
        await using var connection = Connect(nats);
        var figures = new Dictionary<string, double>();
        using (var worker = BenchWorker.Start(postgres, nats))
        {
            figures["start_to_ready_ms"] = await worker.ReadyAsync();
            await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System);
            figures["idle_rss_mb"] = worker.RssMegabytes();
            await ManyAsync(connection, OneStep, "w1", 8_000); // until the code is fully compiled
            await ManyAsync(connection, ThreeSteps, "w3", 4_000);
            figures["jobs_per_second_1_step"] = await ManyAsync(connection, OneStep, "one", 10_000);
            figures["jobs_per_second_3_steps"] = await ManyAsync(connection, ThreeSteps, "three", 5_000);
            figures["queue_to_start_p50_ms"] = await QueueToStartAsync(postgres, connection);
            figures["rss_mb_after_load"] = worker.RssMegabytes();
        }
        using (var worker = BenchWorker.Start(postgres, nats, ("AGENT_EXECUTOR_WORKER_SLOTS", "1000")))
        {
            await worker.ReadyAsync();
            await PublishAsync(connection, Waiting, "wait", 1_000);
            while (await postgres.QueryAsync("SELECT count(*) FROM threads WHERE is_held AND thread_id LIKE 'wait-%'") < 1_000)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
            await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System);
            figures["rss_mb_at_1000_waiting"] = worker.RssMegabytes();
        }
        return figures;
    }

    public static NatsConnection Connect(NatsServer server) =>
        new(
            NatsOpts.Default with
            {
                Url = server.Url,
                RequestReplyMode = NatsRequestReplyMode.Direct,
                RequestTimeout = TimeSpan.FromSeconds(30),
            }
        );

    /// <summary>Jobs per second, with three steps each.</summary>
    public static Task<double> ThreeStepsAsync(NatsConnection connection, string name, int count) =>
        ManyAsync(connection, ThreeSteps, name, count);

    private static async Task<INatsSub<byte[]>> SubscribeAsync(NatsConnection connection, int capacity)
    {
        var opts = new NatsSubOpts { ChannelOpts = new NatsSubChannelOpts { Capacity = capacity } };
        var results = await connection.SubscribeCoreAsync<byte[]>("agent.status.*", opts: opts);
        await connection.PingAsync();
        return results;
    }

    /// <summary>Measures from the first publication to the last result.</summary>
    private static async Task<double> ManyAsync(NatsConnection connection, string definition, string name, int count)
    {
        await using var results = await SubscribeAsync(connection, count + 1_000);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3), TimeProvider.System);
        var watch = Stopwatch.StartNew();
        var publishing = PublishAsync(connection, definition, name, count);
        for (var seen = 0; seen < count; seen++)
        {
            var result = await results.Msgs.ReadAsync(limit.Token);
            if (result.Subject != "agent.status.completed")
            {
                throw new InvalidOperationException($"a job did not complete: {Encoding.UTF8.GetString(result.Data ?? [])}");
            }
        }
        var seconds = watch.Elapsed.TotalSeconds;
        await publishing;
        return count / seconds;
    }

    /// <summary>Measures from the publication to the first checkpoint of the run, on an idle worker.</summary>
    private static async Task<double> QueueToStartAsync(BenchStore.Postgres postgres, NatsConnection connection)
    {
        const int Jobs = 200;
        await using var results = await SubscribeAsync(connection, 10);
        var delays = new double[Jobs];
        for (var i = 0; i < Jobs; i++)
        {
            var sent = TimeProvider.System.GetUtcNow();
            await PublishAsync(connection, OneStep, $"start{i}", 1);
            await results.Msgs.ReadAsync();
            var began = await postgres.QueryAsync(
                $"SELECT extract(epoch FROM min((checkpoint->>'ts')::timestamptz)) * 1000 FROM checkpoints WHERE thread_id = 'start{i}-0'"
            );
            delays[i] = began - ((sent - DateTimeOffset.UnixEpoch).Ticks / (double)TimeSpan.TicksPerMillisecond);
        }
        return Report.Percentile([.. delays.Order()], 0.5);
    }

    private static async Task PublishAsync(NatsConnection connection, string definition, string name, int count)
    {
        var jetStream = new NatsJSContext(connection);
        const int Window = 500;
        for (var from = 0; from < count; from += Window)
        {
            await Task.WhenAll(
                Enumerable
                    .Range(from, Math.Min(Window, count - from))
                    .Select(async i =>
                        (
                            await jetStream.PublishAsync(
                                "agent.execute.bench",
                                Event(string.Create(CultureInfo.InvariantCulture, $"{name}-{i}"), definition),
                                NatsRawSerializer<byte[]>.Default
                            )
                        ).EnsureSuccess()
                    )
            );
        }
    }

    /// <summary>The message of a job, as JSON of a CloudEvent.</summary>
    public static byte[] Event(string id, string definition) =>
        Encoding.UTF8.GetBytes(
            $$$$"""
            {"specversion": "1.0", "id": "{{{{id}}}}", "source": "/bench", "type": "dev.my-platform.agent.execute",
             "datacontenttype": "application/json",
             "data": {"trace_id": "{{{{id}}}}", "job_id": "{{{{id}}}}", "agent_definition": {{{{definition}}}},
              "input_payload": {"user_request": "go"}}}
            """
        );
}
