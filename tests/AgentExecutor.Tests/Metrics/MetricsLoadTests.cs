using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Globalization;
using AgentExecutor.Core;
using AgentExecutor.Server.Metrics;

namespace AgentExecutor.Tests.Metrics;

/// <summary>Many threads, and labels without end.</summary>
public sealed class MetricsLoadTests : IDisposable
{
    private const int Threads = 8;
    private const int Rounds = 20_000;

    private readonly Meter _meter = new("test");
    private readonly MetricsRegistry _registry;

    public MetricsLoadTests() => _registry = new MetricsRegistry(_meter, new Dictionary<string, ImmutableArray<MetricLabel>>
    {
        ["labelled_total"] = [new("model"), new("outcome")],
    });

    public void Dispose()
    {
        _registry.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public void Nothing_is_lost_when_many_threads_record_while_others_scrape()
    {
        var whole = _meter.CreateCounter<long>("whole_total");
        var part = _meter.CreateCounter<double>("part_total");
        var labelled = _meter.CreateCounter<long>("labelled_total");
        var seconds = _meter.CreateHistogram<double>("wait_seconds", "s");
        var scrapes = new List<string[]>();
        using var start = new Barrier(Threads + 1);
        var threads = Enumerable.Range(0, Threads).Select(thread => new Thread(() =>
        {
            start.SignalAndWait();
            for (var round = 0; round < Rounds; round++)
            {
                whole.Add(1);
                part.Add(0.5);
                seconds.Record(round % 2 == 0 ? 0.25 : 100);
                if (thread % 2 == 0) // two orders of the same labels, raced from the first recording on
                {
                    labelled.Add(1, new("model", round % 10), new("outcome", "x"));
                }
                else
                {
                    labelled.Add(1, new("outcome", "x"), new("model", round % 10));
                }
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        start.SignalAndWait();
        do
        {
            scrapes.Add(MetricsText.LinesOf(_registry));
        }
        while (threads.Any(thread => thread.IsAlive));
        threads.ForEach(thread => thread.Join());

        var last = MetricsText.LinesOf(_registry);

        const int all = Threads * Rounds;
        Assert.Contains($"whole_total {all}", last);
        Assert.Contains($"part_total {all / 2}", last);
        Assert.Contains($"wait_seconds_count {all}", last);
        Assert.Contains($$"""wait_seconds_bucket{le="60"} {{all / 2}}""", last);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"wait_seconds_sum {(all / 2 * 0.25) + (all / 2 * 100d)}"), last);
        Assert.Equal(10, last.Count(line => line.StartsWith("labelled_total{", StringComparison.Ordinal)));
        Assert.Equal(all, Sum(last, "labelled_total{"));
        Assert.All(scrapes, lines => Assert.Equal(Sum(lines, "wait_seconds_bucket{le=\"+Inf\"}"), Sum(lines, "wait_seconds_count")));
        Assert.All(scrapes.Zip(scrapes.Skip(1)), pair => Assert.True(Sum(pair.First, "whole_total") <= Sum(pair.Second, "whole_total")));
    }

    [Fact]
    public void Too_many_series_are_folded_into_one_and_still_counted()
    {
        const int models = 5 * MetricFamily.MaxSeries;
        var counter = _meter.CreateCounter<long>("labelled_total");
        for (var round = 0; round < 2; round++)
        {
            for (var model = 0; model < models; model++)
            {
                counter.Add(1, new("model", $"m{model}"), new("outcome", "x"));
            }
        }

        var lines = MetricsText.LinesOf(_registry).Where(line => line[0] != '#').ToArray();

        Assert.Equal(MetricFamily.MaxSeries, lines.Length);
        Assert.Contains("""labelled_total{model="m0",outcome="x"} 2""", lines);
        Assert.Contains($$"""labelled_total{model="other",outcome="other"} {{2 * (models - MetricFamily.MaxSeries + 1)}}""", lines);
        Assert.Equal(2 * models, Sum(lines, "labelled_total{"));
    }

    [Fact]
    public void Recording_to_a_known_series_takes_no_memory()
    {
        var counter = _meter.CreateCounter<long>("labelled_total");
        var model = new KeyValuePair<string, object?>("model", "m");
        var outcome = new KeyValuePair<string, object?>("outcome", "x");
        counter.Add(1, model, outcome);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 1000; round++)
        {
            counter.Add(1, model, outcome);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000); // less than a byte a recording: what the runtime itself may need
    }

    private static double Sum(string[] lines, string start) => lines.Where(line => line.StartsWith(start, StringComparison.Ordinal))
        .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
}
