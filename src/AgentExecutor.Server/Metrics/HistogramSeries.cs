namespace AgentExecutor.Server.Metrics;

/// <summary>Values counted by size.</summary>
/// <param name="bounds">The largest value of each bucket, ascending; above the last one comes a bucket without a bound.</param>
internal sealed class HistogramSeries(double[] bounds) : Series
{
    private readonly long[] _counts = new long[bounds.Length + 1];
    private double _sum;

    public override void Record(long value) => Record((double)value);

    public override void Record(double value)
    {
        if (double.IsFinite(value)) // one NaN would make the sum NaN for good
        {
            var found = Array.BinarySearch(bounds, value);
            Interlocked.Increment(ref _counts[found < 0 ? ~found : found]);
            AddTo(ref _sum, value);
        }
    }

    /// <remarks>The count is the sum of the buckets as they were read here, never a counter of its own: the two agree even while others record.</remarks>
    public override void Write(PrometheusText text, string name, string labels)
    {
        var count = 0L;
        for (var index = 0; index < _counts.Length; index++)
        {
            count += Interlocked.Read(ref _counts[index]);
            text.Bucket(name, labels, index < bounds.Length ? bounds[index] : double.PositiveInfinity, count);
        }
        text.Sample(name, "_sum", labels, Volatile.Read(ref _sum));
        text.Sample(name, "_count", labels, count);
    }
}
