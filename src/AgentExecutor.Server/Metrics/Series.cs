namespace AgentExecutor.Server.Metrics;

/// <summary>What one set of labels of an instrument adds up to. Recorded by many threads at once without a lock.</summary>
internal abstract class Series
{
    public abstract void Record(long value);

    public abstract void Record(double value);

    /// <param name="labels">As <see cref="LabelText"/> writes them.</param>
    public abstract void Write(PrometheusText text, string name, string labels);

    protected static void AddTo(ref double total, double value)
    {
        var seen = Volatile.Read(ref total);
        while (true)
        {
            var before = Interlocked.CompareExchange(ref total, seen + value, seen);
            if (BitConverter.DoubleToInt64Bits(before) == BitConverter.DoubleToInt64Bits(seen))
            {
                return;
            }
            seen = before;
        }
    }
}
