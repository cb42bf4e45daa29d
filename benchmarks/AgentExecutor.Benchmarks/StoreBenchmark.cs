using System.Diagnostics;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;

namespace AgentExecutor.Benchmarks;

/// <summary>A store under an agent: 200 turns with 2 KB tool results, then the newest state loaded as a new worker would.</summary>
internal static class StoreBenchmark
{
    private const int Turns = 200;

    public static async Task<Dictionary<string, double>> RunAsync(string name)
    {
        await using var store = await BenchStore.OpenAsync(name);
        return await MeasureAsync(store.Checkpoints, store.SizeAsync);
    }

    private static async Task<Dictionary<string, double>> MeasureAsync(ICheckpointStore store, Func<Task<double>> size)
    {
        await Conversation.RunAsync(store, "warm-up", Turns);
        var before = await size();
        var watch = Stopwatch.StartNew();
        var times = await Conversation.RunAsync(store, "measured", Turns);
        var elapsed = watch.Elapsed.TotalSeconds;
        var bytes = await size() - before;
        var sorted = times.Order().ToArray();
        var load = await LoadAsync(store);
        return new Dictionary<string, double>
        {
            ["steps_per_second"] = times.Length / elapsed,
            ["step_p50_ms"] = Report.Percentile(sorted, 0.5),
            ["step_p99_ms"] = Report.Percentile(sorted, 0.99),
            ["bytes_per_thread"] = bytes,
            ["load_latest_ms"] = load.Warm,
            ["load_latest_cold_ms"] = load.Cold,
            ["slowdown_at_end"] = await Conversation.SlowdownAsync(() => store, 2_000),
        };
    }

    /// <summary>How long it takes to read and rebuild the newest state: the first time, and the median once the code is compiled.</summary>
    private static async Task<(double Cold, double Warm)> LoadAsync(ICheckpointStore store)
    {
        var channels = Conversation.Graph(Turns).Channels;
        var cold = await LoadOnceAsync(store, channels);
        var warmUp = Stopwatch.StartNew();
        while (warmUp.Elapsed < TimeSpan.FromSeconds(10)) // until the profiling builds of the hot methods have given way to the final ones
        {
            await LoadOnceAsync(store, channels);
        }
        var times = new List<double>();
        for (var i = 0; i < 100; i++)
        {
            times.Add(await LoadOnceAsync(store, channels));
        }
        return (cold, times.Order().ElementAt(times.Count / 2));
    }

    private static async Task<double> LoadOnceAsync(ICheckpointStore store, ChannelSet channels)
    {
        var watch = Stopwatch.StartNew();
        var position = CheckpointReader.Read((await store.LoadAsync("measured", "", null, CancellationToken.None))!, channels);
        var elapsed = watch.Elapsed.TotalMilliseconds;
        return new StateView(position.State).Messages.Count == (2 * Turns) + 2
            ? elapsed
            : throw new InvalidOperationException("the thread was not rebuilt whole");
    }
}
