using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using AgentExecutor.Core;

namespace AgentExecutor.Server.Metrics;

/// <summary>All instruments of <see cref="Telemetry.Meter"/>, and the series that are known before the first measurement.</summary>
internal static class MetricCatalog
{
    public static readonly ImmutableArray<Instrument> Instruments = Find();

    /// <summary>
    /// Returns the labels of each known series. An instrument without labels has one series. If a label can have any value, no series is
    /// known.
    /// </summary>
    public static IEnumerable<KeyValuePair<string, object?>[]> SeriesOf(Instrument instrument)
    {
        IEnumerable<KeyValuePair<string, object?>[]> series =
        [
            [],
        ];
        foreach (var label in Telemetry.Labels.GetValueOrDefault(instrument.Name, []))
        {
            series = series.SelectMany(
                tags => label.Values,
                (tags, value) => (KeyValuePair<string, object?>[])[.. tags, new(label.Name, value)]
            );
        }
        return series;
    }

    /// <summary>
    /// Sets the known series of counters and gauges to zero. Otherwise a counter would first appear with its first count, and rates would
    /// not include it. A histogram cannot be seeded, because each measurement counts. <see cref="ScrapeText"/> adds it until it has
    /// measurements.
    /// </summary>
    public static void SeedSeries()
    {
        foreach (var instrument in Instruments)
        {
            foreach (var tags in SeriesOf(instrument))
            {
                Seed(instrument, tags);
            }
        }
    }

    private static void Seed(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        switch (instrument)
        {
            case Counter<long> counter:
                counter.Add(0, tags);
                break;
            case UpDownCounter<long> counter:
                counter.Add(0, tags);
                break;
            case Gauge<long> gauge:
                gauge.Record(0, tags);
                break;
            case Gauge<double> gauge:
                gauge.Record(0, tags);
                break;
        }
    }

    private static ImmutableArray<Instrument> Find()
    {
        var meter = Telemetry.Meter;
        var found = ImmutableArray.CreateBuilder<Instrument>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (ReferenceEquals(instrument.Meter, meter))
            {
                found.Add(instrument);
            }
        };
        listener.Start(); // calls the callback for every existing instrument
        return found.ToImmutable();
    }
}
