using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures the speed of parallel runs. Each is a loop of two nodes that append to a log (one delta write per step), with a lease, events
/// and run state as in production. The time of a step is measured from the return of one commit to that of the next.
/// </summary>
internal static class StepsBenchmark
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);
    private const int StepsPerRun = 200;

    public static async Task<Dictionary<string, double>> RunAsync(string name)
    {
        await using var store = await BenchStore.OpenAsync(name);
        var figures = new Dictionary<string, double>();
        await MeasureAsync(store, 16, WarmUp);
        foreach (var concurrent in (int[])[1, 16, 64])
        {
            var before = store is BenchStore.Postgres server ? await server.CountersAsync() : default;
            var (rate, times, steps) = await MeasureAsync(store, concurrent, Duration);
            figures[$"steps_per_second_{concurrent}"] = rate;
            if (concurrent == 1)
            {
                figures["step_p50_ms"] = Report.Percentile(times, 0.5);
                figures["step_p99_ms"] = Report.Percentile(times, 0.99);
            }
            if (concurrent == 64 && store is BenchStore.Postgres counted)
            {
                var after = await counted.CountersAsync();
                figures["rows_per_step"] = (after.Rows - before.Rows) / steps;
                figures["transactions_per_step"] = (after.Transactions - before.Transactions) / steps;
            }
        }
        return figures;
    }

    private static async Task<(double Rate, double[] Times, long Steps)> MeasureAsync(BenchStore store, int concurrent, TimeSpan duration)
    {
        var timed = new CommitTimes(store.Checkpoints);
        var keeper = store.Queue is { } queue ? new LeaseKeeper(queue, Lease.New(TimeSpan.FromSeconds(30)), TimeProvider.System) : null;
        using var deadline = new CancellationTokenSource(duration);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, concurrent).Select(_ => Task.Run(() => RunsAsync(timed, keeper, deadline.Token))));
        return (timed.Count / watch.Elapsed.TotalSeconds, timed.Sorted(), timed.Count);
    }

    private static async Task RunsAsync(CommitTimes store, LeaseKeeper? keeper, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            using var session = Bench.Session(store.ForOneRun(), Guid.NewGuid().ToString(), keeper, stopping);
            try
            {
                await Bench.RunAsync(Loop, session, "log", System.Collections.Immutable.ImmutableList.Create(JsonBytes.Text("start")));
            }
            catch (OperationCanceledException)
            {
                return; // The time is over, and the run stops at a checkpoint.
            }
        }
    }

    private static Graph Loop { get; } = MakeLoop();

    private static Graph MakeLoop()
    {
        static int StepsOf(StateView state) => ((System.Collections.Immutable.ImmutableList<JsonElement>)state.State["log"]!).Count;
        var body = new DelegateNode(
            (context, _) =>
            {
                context.WriteJson(
                    "log",
                    JsonBytes.Element(
                        StepsOf(context.State),
                        static (writer, step) =>
                        {
                            writer.WriteStartObject();
                            writer.WriteNumber("step"u8, step);
                            writer.WriteString("said"u8, "What a short message of a model or a tool might say in one step."u8);
                            writer.WriteEndObject();
                        }
                    )
                );
                return ValueTask.CompletedTask;
            }
        );
        return new Graph(
            "steps",
            [new Node("ping", body), new Node("pong", body)],
            [
                new Edge.Direct(Graph.Start, "ping"),
                new Edge.Direct("ping", "pong"),
                new Edge.When("pong", "ping", state => StepsOf(state) < StepsPerRun, "steps < end"),
                new Edge.Otherwise("pong", Graph.End),
            ],
            [new AppendChannel("log")]
        );
    }

    /// <summary>Records the times of the steps of each run.</summary>
    private sealed class CommitTimes(ICheckpointStore inner)
    {
        private readonly ConcurrentBag<List<double>> _times = [];

        public long Count => _times.Sum(times => (long)times.Count);

        public ICheckpointStore ForOneRun()
        {
            var times = new List<double>();
            _times.Add(times);
            return new TimedStore(inner, times);
        }

        public double[] Sorted() => [.. _times.SelectMany(times => times).Order()];
    }
}
