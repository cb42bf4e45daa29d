using System.Diagnostics.Metrics;

namespace AgentExecutor.Server.Metrics;

/// <summary>The buckets of a histogram: those that the instrument asks for, else some that suit its unit.</summary>
internal static class HistogramBounds
{
    private static readonly double[] Seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
    private static readonly double[] Milliseconds = [.. Seconds.Select(bound => bound * 1000)];
    private static readonly double[] Bytes = [256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216];
    private static readonly double[] Amounts = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000];

    public static double[] Of(Instrument instrument)
    {
        // The bucket without a bound is always there, so a bound that says the same would give it twice.
        double[] advised = [.. Advised(instrument).Where(double.IsFinite)];
        return advised.Length > 0 ? advised : instrument.Unit switch
        {
            "s" => Seconds,
            "ms" => Milliseconds,
            "By" => Bytes,
            _ => Amounts,
        };
    }

    private static IEnumerable<double> Advised(Instrument instrument) => instrument switch
    {
        Histogram<double> it => it.Advice?.HistogramBucketBoundaries ?? [],
        Histogram<float> it => it.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? [],
        Histogram<decimal> it => it.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? [],
        Histogram<long> it => it.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? [],
        Histogram<int> it => it.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? [],
        Histogram<short> it => it.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? [],
        Histogram<byte> it => it.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound) ?? [],
        _ => [],
    };
}
