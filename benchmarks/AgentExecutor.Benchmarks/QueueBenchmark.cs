using System.Diagnostics;
using System.Globalization;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures how long a claim takes: with an empty queue; with 10,000 concurrency keys at their limit and a waiting run for each; with
/// 20,000 runs that wait for one thread; and with a million waiting runs.
/// </summary>
internal static class QueueBenchmark
{
    private const int Keys = 10_000;
    private const int RunsOfOneThread = 20_000;
    private const int Million = 1_000_000;
    private const int Claims = 200;
    private const int AtMost = 10;

    private static readonly Lease Lease = new("bench", TimeSpan.FromHours(1));

    public static async Task<Dictionary<string, double>> RunAsync(string name)
    {
        await using var store = await BenchStore.OpenAsync(name, hasQueue: true);
        var queue = store.Queue!;
        var load = QueueLoad.Of(store);
        var figures = new Dictionary<string, double>();
        await SubmitAsync(queue, "first");
        await MeasureAsync(queue, Claims); // until the code is compiled and the statements are prepared
        figures["claim_p50_ms_empty"] = await MeasureAsync(queue, Claims);
        figures["claim_one_p50_ms_empty"] = await MeasureOneAsync(queue, "a");

        await load.FillKeysAsync(Keys);
        figures["claim_p50_ms_full_keys"] = await MeasureAsync(queue, Claims);
        figures["claim_one_p50_ms_full_keys"] = await MeasureOneAsync(queue, "b");
        figures["claim_freed_p50_ms_full_keys"] = await MeasureFreedAsync(queue, load);

        await load.FillThreadAsync(RunsOfOneThread);
        figures["claim_p50_ms_behind_thread"] = await MeasureAsync(queue, Claims);
        figures["claim_one_p50_ms_behind_thread"] = await MeasureOneAsync(queue, "c");

        var watch = Stopwatch.StartNew();
        await load.FillAsync(Million);
        figures["fill_million_seconds"] = watch.Elapsed.TotalSeconds;
        figures["claim_p50_ms_million"] = await MeasureAsync(queue, Claims);
        return figures;
    }

    /// <summary>Returns the median of claims of ten runs each.</summary>
    private static async Task<double> MeasureAsync(IRunQueue queue, int claims)
    {
        var times = new double[claims];
        for (var i = 0; i < claims; i++)
        {
            (times[i], _) = await ClaimAsync(queue);
        }
        return Report.Percentile([.. times.Order()], 0.5);
    }

    /// <summary>Returns the median of claims that find one run.</summary>
    private static async Task<double> MeasureOneAsync(IRunQueue queue, string name)
    {
        var times = new double[Claims];
        for (var i = 0; i < Claims; i++)
        {
            await SubmitAsync(queue, string.Create(CultureInfo.InvariantCulture, $"{name}{i}"));
            (times[i], var count) = await ClaimAsync(queue);
            Expect(count == 1, $"a claim took {count} runs, where one was ready");
        }
        return Report.Percentile([.. times.Order()], 0.5);
    }

    /// <summary>
    /// Returns the median of claims after a run of a full key has ended. Each claim finds the run that waited for the key.
    /// </summary>
    private static async Task<double> MeasureFreedAsync(IRunQueue queue, QueueLoad load)
    {
        var times = new double[Claims];
        for (var i = 0; i < Claims; i++)
        {
            await load.FreeAsync(i);
            (times[i], var count) = await ClaimAsync(queue);
            Expect(count == 1, $"a claim took {count} runs, where one key had room");
        }
        return Report.Percentile([.. times.Order()], 0.5);
    }

    private static async Task<(double Milliseconds, int Count)> ClaimAsync(IRunQueue queue)
    {
        var watch = Stopwatch.StartNew();
        var claimed = await queue.ClaimAsync(Lease, AtMost, CancellationToken.None);
        return (watch.Elapsed.TotalMilliseconds, claimed.Length);
    }

    private static async Task SubmitAsync(IRunQueue queue, string id)
    {
        await queue.SubmitAsync([QueueLoad.Submission(id, id)], null, CancellationToken.None);
    }

    private static void Expect(bool isSo, string fault)
    {
        if (!isSo)
        {
            throw new InvalidOperationException(fault);
        }
    }
}
