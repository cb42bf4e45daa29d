using System.Diagnostics.Metrics;

namespace AgentExecutor.Server.Metrics;

/// <summary>How an instrument's measurements are added up, and the type under which Prometheus knows it.</summary>
/// <param name="IsObserved">Told anew at each scrape, so a series that is not told any more is gone.</param>
/// <param name="StartsAtZero">Nothing counted means zero; of a gauge it would be a lie.</param>
internal sealed record InstrumentKind(string Type, bool IsObserved, bool StartsAtZero)
{
    private static readonly InstrumentKind Counter = new("counter", IsObserved: false, StartsAtZero: true);
    private static readonly InstrumentKind UpDownCounter = new("gauge", IsObserved: false, StartsAtZero: true);
    private static readonly InstrumentKind Gauge = new("gauge", IsObserved: false, StartsAtZero: false);
    private static readonly InstrumentKind Histogram = new("histogram", IsObserved: false, StartsAtZero: true);
    private static readonly InstrumentKind ObservedCounter = new("counter", IsObserved: true, StartsAtZero: false);
    private static readonly InstrumentKind ObservedGauge = new("gauge", IsObserved: true, StartsAtZero: false);

    private static readonly Dictionary<Type, InstrumentKind> ByType = new()
    {
        [typeof(Counter<>)] = Counter,
        [typeof(UpDownCounter<>)] = UpDownCounter,
        [typeof(Gauge<>)] = Gauge,
        [typeof(Histogram<>)] = Histogram,
        [typeof(ObservableCounter<>)] = ObservedCounter,
        [typeof(ObservableUpDownCounter<>)] = ObservedGauge,
        [typeof(ObservableGauge<>)] = ObservedGauge,
    };

    /// <summary>Null for an instrument of someone's own making.</summary>
    public static InstrumentKind? Of(Instrument instrument) =>
        instrument.GetType() is { IsGenericType: true } type ? ByType.GetValueOrDefault(type.GetGenericTypeDefinition()) : null;

    /// <summary>Makes the series of <paramref name="instrument"/>.</summary>
    public Func<Series> SeriesOf(Instrument instrument)
    {
        var bounds = this == Histogram ? HistogramBounds.Of(instrument) : [];
        return this == Histogram ? () => new HistogramSeries(bounds)
            : IsObserved || this == Gauge ? () => new LastSeries()
            : () => new SumSeries(onlyGrows: this == Counter);
    }
}
