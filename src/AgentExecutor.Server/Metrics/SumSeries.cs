namespace AgentExecutor.Server.Metrics;

/// <summary>A counter, or one that goes up and down. Whole numbers are kept apart: they are nearly all there is, cost one addition, and stay exact.</summary>
/// <param name="onlyGrows">A counter that fell would look like a restart, so what is below zero is left out.</param>
internal sealed class SumSeries(bool onlyGrows) : Series
{
    private long _whole;
    private double _part;

    public override void Record(long value)
    {
        if (value >= 0 || !onlyGrows)
        {
            Interlocked.Add(ref _whole, value);
        }
    }

    public override void Record(double value)
    {
        if (double.IsFinite(value) && (value >= 0 || !onlyGrows)) // one NaN would make the sum NaN for good
        {
            AddTo(ref _part, value);
        }
    }

    public override void Write(PrometheusText text, string name, string labels)
    {
        var (whole, part) = (Interlocked.Read(ref _whole), Volatile.Read(ref _part));
        if (part == 0)
        {
            text.Sample(name, labels, whole);
        }
        else
        {
            text.Sample(name, labels, whole + part);
        }
    }
}
