using System.Diagnostics;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures a store with an agent: 200 turns with tool results of 2 KB, and then loading the newest state as a new worker does.
/// </summary>
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

    /// <summary>Measures reading and rebuilding the newest state: the first time, and the median after the code was compiled.</summary>
    private static async Task<(double Cold, double Warm)> LoadAsync(ICheckpointStore store)
    {
        var channels = Conversation.Graph(Turns).Channels;
        var cold = await LoadOnceAsync(store, channels);
        var warmUp = Stopwatch.StartNew();
        while (warmUp.Elapsed < TimeSpan.FromSeconds(10)) // until the hot methods are fully optimised
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
