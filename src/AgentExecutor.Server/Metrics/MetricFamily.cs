using System.Collections.Concurrent;

namespace AgentExecutor.Server.Metrics;

/// <summary>All series of one instrument.</summary>
/// <remarks>
/// A recording looks its series up by its tags as they came, which takes no lock and no memory. Only tags not seen before are written out
/// as a text, under a lock, and join the series of that text. Both tables are bounded: labels that turn out to be unbounded cost their
/// own meaning, not the process's memory.
/// </remarks>
internal sealed class MetricFamily
{
    /// <summary>As many series as an instrument may have. The rest are folded into one.</summary>
    public const int MaxSeries = 1000;

    /// <summary>The same labels may come in several orders; past this many a recording goes the slow way.</summary>
    private const int MaxKnownTags = 4 * MaxSeries;

    private readonly Func<Series> _create;
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Series> _series = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<KeyValuePair<string, object?>[], Series> _known = new(new TagComparer());
    private readonly ConcurrentDictionary<KeyValuePair<string, object?>[], Series>.AlternateLookup<ReadOnlySpan<KeyValuePair<string, object?>>> _knownByTags;
    private int _knownCount;

    public MetricFamily(string name, string? help, InstrumentKind kind, Func<Series> create)
    {
        (Name, Help, Kind, _create) = (name, help, kind, create);
        _knownByTags = _known.GetAlternateLookup<ReadOnlySpan<KeyValuePair<string, object?>>>();
    }

    public string Name { get; }

    public string? Help { get; }

    public InstrumentKind Kind { get; }

    /// <summary>The series of these tags, made if there is none.</summary>
    public Series Find(ReadOnlySpan<KeyValuePair<string, object?>> tags) => _knownByTags.TryGetValue(tags, out var series) ? series : FindNew(tags);

    /// <summary>Forgets all series, before they are observed anew.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _series.Clear();
            _known.Clear();
            _knownCount = 0;
        }
    }

    public void Write(PrometheusText text)
    {
        KeyValuePair<string, Series>[] series;
        lock (_lock)
        {
            series = [.. _series];
        }
        text.Header(Name, Help, Kind.Type);
        foreach (var (labels, one) in series)
        {
            one.Write(text, Name, labels);
        }
    }

    private Series FindNew(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = LabelText.Of(tags);
        lock (_lock)
        {
            if (!_series.TryGetValue(labels, out var series))
            {
                if (_series.Count >= MaxSeries - 1) // the last place is for the one that takes the rest
                {
                    return FindFolded(LabelText.FoldedOf(tags)); // not kept as known: such tags have no end
                }
                _series.Add(labels, series = _create());
            }
            if (_knownCount < MaxKnownTags && _known.TryAdd(tags.ToArray(), series))
            {
                _knownCount++;
            }
            return series;
        }
    }

    private Series FindFolded(string labels)
    {
        if (!_series.TryGetValue(labels, out var series))
        {
            _series.Add(labels, series = _create());
        }
        return series;
    }
}
