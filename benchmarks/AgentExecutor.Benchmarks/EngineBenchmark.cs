using System.Diagnostics;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures the engine alone, with one thread, the in-memory store and a loop of two nodes without a model, and whether a long conversation
/// slows it down.
/// </summary>
internal static class EngineBenchmark
{
    private const int WarmUp = 20_000;
    private const int Supersteps = 200_000;
    private const int Rounds = 5;

    public static async Task<Dictionary<string, double>> RunAsync()
    {
        await LoopAsync(WarmUp);
        var rates = new List<double>();
        var bytes = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            GC.Collect();
            var allocated = GC.GetTotalAllocatedBytes(precise: true);
            var watch = Stopwatch.StartNew();
            await LoopAsync(Supersteps);
            rates.Add(Supersteps / watch.Elapsed.TotalSeconds);
            bytes.Add((GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)Supersteps);
        }
        return new Dictionary<string, double>
        {
            ["supersteps_per_second"] = Median(rates),
            ["supersteps_per_second_min"] = rates.Min(),
            ["supersteps_per_second_max"] = rates.Max(),
            ["allocated_bytes_per_superstep"] = Median(bytes),
            ["slowdown_at_end"] = await Conversation.SlowdownAsync(() => new InMemoryCheckpointStore(), turns: 2_000),
        };
    }

    private static async Task LoopAsync(int supersteps)
    {
        using var session = Bench.Session(new InMemoryCheckpointStore(), "loop");
        await Bench.RunAsync(TwoNodes(supersteps), session, "n", JsonBytes.Number(0));
    }

    /// <summary>Two nodes, ping and pong, increment a counter alternately until it reaches the limit.</summary>
    private static Graph TwoNodes(int supersteps)
    {
        var body = new DelegateNode(
            (context, _) =>
            {
                var n = ((JsonElement)context.State.State["n"]!).GetInt64();
                context.Write("n", JsonBytes.Number(n + 1));
                return ValueTask.CompletedTask;
            }
        );
        bool Goes(StateView state) => ((JsonElement)state.State["n"]!).GetInt64() < supersteps;
        return new Graph(
            "two-nodes",
            [new Node("ping", body), new Node("pong", body)],
            [
                new Edge.Direct(Graph.Start, "ping"),
                new Edge.Direct("ping", "pong"),
                new Edge.When("pong", "ping", Goes, "n < end"),
                new Edge.Otherwise("pong", Graph.End),
            ],
            [new LastValueChannel("n")]
        );
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
