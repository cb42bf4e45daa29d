using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using AgentExecutor.Core;

namespace AgentExecutor.Server.Metrics;

/// <summary>Adds up what the program measures and shows it to Prometheus.</summary>
/// <remarks>Counts from when it is made on, so make it before anything runs: a counter that also goes down would else end up below zero.</remarks>
public sealed class MetricsRegistry : IDisposable
{
    /// <summary>What <see cref="WriteAsync"/> writes; a header, so it must be set before that.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterListener _listener = new();
    private readonly IReadOnlyDictionary<string, ImmutableArray<MetricLabel>> _labels;
    private readonly SortedDictionary<string, MetricFamily> _families = new(StringComparer.Ordinal);
    private readonly Lock _familiesLock = new();
    private readonly Lock _scrapeLock = new();

    public MetricsRegistry() : this(Telemetry.Meter, Telemetry.Labels)
    {
    }

    /// <param name="labels">By the instrument's name; an instrument that is not in it has none.</param>
    internal MetricsRegistry(Meter meter, IReadOnlyDictionary<string, ImmutableArray<MetricLabel>> labels)
    {
        _labels = labels;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter, meter) && FamilyOf(instrument) is { } family)
            {
                listener.EnableMeasurementEvents(instrument, family);
            }
        };
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, family) => ((MetricFamily)family!).Find(tags).Record(value));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, family) => ((MetricFamily)family!).Find(tags).Record((long)value));
        _listener.SetMeasurementEventCallback<short>(static (_, value, tags, family) => ((MetricFamily)family!).Find(tags).Record((long)value));
        _listener.SetMeasurementEventCallback<byte>(static (_, value, tags, family) => ((MetricFamily)family!).Find(tags).Record((long)value));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, family) => ((MetricFamily)family!).Find(tags).Record(value));
        _listener.SetMeasurementEventCallback<float>(static (_, value, tags, family) => ((MetricFamily)family!).Find(tags).Record((double)value));
        _listener.SetMeasurementEventCallback<decimal>(static (_, value, tags, family) => ((MetricFamily)family!).Find(tags).Record((double)value));
        _listener.Start();
    }

    /// <summary>Writes all metrics as <see cref="ContentType"/> says, and flushes them.</summary>
    public async Task WriteAsync(PipeWriter output, CancellationToken cancellationToken)
    {
        Write(output);
        await output.FlushAsync(cancellationToken);
    }

    /// <inheritdoc cref="WriteAsync"/>
    public void Write(IBufferWriter<byte> output)
    {
        var text = new PrometheusText(output);
        lock (_scrapeLock) // what is observed is cleared and told anew: a second scrape must not come between
        {
            var families = Families();
            Observe(families);
            foreach (var family in families)
            {
                family.Write(text);
            }
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Observe(ImmutableArray<MetricFamily> families)
    {
        foreach (var family in families)
        {
            if (family.Kind.IsObserved)
            {
                family.Clear();
            }
        }
        try
        {
            _listener.RecordObservableInstruments();
        }
        catch (AggregateException)
        {
            // One gauge could not be read. The listener has gone on with the others; this one is missing, which is what a scraper can see.
        }
    }

    private ImmutableArray<MetricFamily> Families()
    {
        lock (_familiesLock)
        {
            return [.. _families.Values];
        }
    }

    /// <returns>Null for an instrument that cannot be shown: one of an unknown kind, or one whose name means something else already.</returns>
    private MetricFamily? FamilyOf(Instrument instrument)
    {
        if (InstrumentKind.Of(instrument) is not { } kind)
        {
            return null;
        }
        var name = LabelText.NameOf(instrument.Name);
        lock (_familiesLock)
        {
            if (_families.TryGetValue(name, out var known))
            {
                return known.Kind == kind ? known : null;
            }
            var family = new MetricFamily(name, instrument.Description, kind, kind.SeriesOf(instrument));
            if (kind.StartsAtZero)
            {
                Seed(family, _labels.GetValueOrDefault(instrument.Name, []));
            }
            _families.Add(name, family);
            return family;
        }
    }

    /// <summary>
    /// Makes the series that are known beforehand, at zero: a rate over a counter misses its first count where the series comes up with it.
    /// Labels with open values give no combinations, hence no series.
    /// </summary>
    private static void Seed(MetricFamily family, ImmutableArray<MetricLabel> labels)
    {
        IEnumerable<ImmutableArray<KeyValuePair<string, object?>>> combinations = [[]];
        foreach (var label in labels)
        {
            combinations = combinations.SelectMany(tags => label.Values, (tags, value) => tags.Add(new(label.Name, value)));
        }
        foreach (var tags in combinations)
        {
            family.Find(tags.AsSpan());
        }
    }
}
