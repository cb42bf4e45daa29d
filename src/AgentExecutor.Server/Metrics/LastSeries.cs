namespace AgentExecutor.Server.Metrics;

/// <summary>The last value that was told: a gauge, or an observed instrument of any kind.</summary>
internal sealed class LastSeries : Series
{
    private double _value;

    public override void Record(long value) => Record((double)value);

    public override void Record(double value) => Volatile.Write(ref _value, value);

    public override void Write(PrometheusText text, string name, string labels) => text.Sample(name, labels, Volatile.Read(ref _value));
}
