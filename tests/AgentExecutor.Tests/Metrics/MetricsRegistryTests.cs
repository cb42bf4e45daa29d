using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Server.Metrics;

namespace AgentExecutor.Tests.Metrics;

/// <summary>Each test has a meter of its own.</summary>
public sealed class MetricsRegistryTests : IDisposable
{
    private readonly Meter _meter = new("test");
    private readonly MetricsRegistry _registry;

    public MetricsRegistryTests() => _registry = new MetricsRegistry(_meter, new Dictionary<string, ImmutableArray<MetricLabel>>
    {
        ["labelled_total"] = [new("a"), new("b")],
        ["known_total"] = [new("outcome", "good", "bad"), new("size", "s", "l")],
        ["labelled_seconds"] = [new("a")],
    });

    public void Dispose()
    {
        _registry.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public async Task Known_recordings_give_exactly_this_text()
    {
        var seconds = _meter.CreateHistogram("wait_seconds", "s", "Time.", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1, 2.5] });
        var requests = _meter.CreateCounter<long>("labelled_total", description: "Requests.");
        var open = _meter.CreateUpDownCounter<int>("open");
        _meter.CreateCounter<double>("spent_total").Add(0.25);
        seconds.Record(0.25);
        seconds.Record(1);
        seconds.Record(4);
        requests.Add(2, new("b", 200), new("a", "GET"));
        requests.Add(3, new("a", "GET"), new("b", "200"));
        requests.Add(1, new("a", "GET"), new("b", null));
        open.Add(1);
        open.Add(-3);
        var stream = new MemoryStream();

        await _registry.WriteAsync(PipeWriter.Create(stream), TestContext.Current.CancellationToken);

        Assert.Equal(
            """
            # HELP labelled_total Requests.
            # TYPE labelled_total counter
            labelled_total{a="GET"} 1
            labelled_total{a="GET",b="200"} 5
            # TYPE open gauge
            open -2
            # TYPE spent_total counter
            spent_total 0.25
            # HELP wait_seconds Time.
            # TYPE wait_seconds histogram
            wait_seconds_bucket{le="0.5"} 1
            wait_seconds_bucket{le="1"} 2
            wait_seconds_bucket{le="2.5"} 2
            wait_seconds_bucket{le="+Inf"} 3
            wait_seconds_sum 5.25
            wait_seconds_count 3

            """,
            Encoding.UTF8.GetString(stream.ToArray()));
    }

    [Fact]
    public void Series_that_are_known_beforehand_start_at_zero()
    {
        _meter.CreateCounter<long>("known_total");
        _meter.CreateCounter<long>("plain_total");
        _meter.CreateCounter<long>("labelled_total");
        _meter.CreateGauge<long>("level");

        Assert.Equal(
            [
                "# TYPE known_total counter",
                """known_total{outcome="bad",size="l"} 0""", """known_total{outcome="bad",size="s"} 0""",
                """known_total{outcome="good",size="l"} 0""", """known_total{outcome="good",size="s"} 0""",
                "# TYPE labelled_total counter",
                "# TYPE level gauge",
                "# TYPE plain_total counter", "plain_total 0",
            ],
            MetricsText.LinesOf(_registry));
    }

    [Fact]
    public void Labels_and_help_are_escaped()
    {
        var counter = _meter.CreateCounter<long>("labelled_total", description: "A \\ and\na \"line\".");
        counter.Add(1, new KeyValuePair<string, object?>("a", "quote \" slash \\ line\nend é 🙂"));
        counter.Add(2, new KeyValuePair<string, object?>("a", "half \ud83d"));
        counter.Add(3, new KeyValuePair<string, object?>("a", "half \ud83e"));

        Assert.Equal(
            [
                """# HELP labelled_total A \\ and\na "line".""", "# TYPE labelled_total counter",
                """labelled_total{a="half �"} 5""", """labelled_total{a="quote \" slash \\ line\nend é 🙂"} 1""",
            ],
            MetricsText.LinesOf(_registry));
    }

    [Fact]
    public void Names_of_other_conventions_are_mapped()
    {
        _meter.CreateCounter<long>("http.server-requests").Add(1, new KeyValuePair<string, object?>("url.path", "/"));

        Assert.Contains("""http_server_requests{url_path="/"} 1""", MetricsText.LinesOf(_registry));
    }

    [Fact]
    public void A_histogram_keeps_its_labels_beside_the_bound()
    {
        var histogram = _meter.CreateHistogram("labelled_seconds", "s", null, null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [1] });
        histogram.Record(0.5, new KeyValuePair<string, object?>("a", "x"));

        Assert.Equal(
            [
                "# TYPE labelled_seconds histogram", """labelled_seconds_bucket{a="x",le="1"} 1""", """labelled_seconds_bucket{a="x",le="+Inf"} 1""",
                """labelled_seconds_sum{a="x"} 0.5""", """labelled_seconds_count{a="x"} 1""",
            ],
            MetricsText.LinesOf(_registry));
    }

    [Theory]
    [InlineData("s", "0.005", "60")]
    [InlineData("ms", "5", "60000")]
    [InlineData("By", "256", "16777216")]
    [InlineData(null, "1", "10000")]
    public void A_histogram_without_advice_has_buckets_that_suit_its_unit(string? unit, string first, string last)
    {
        _meter.CreateHistogram<long>("sizes", unit);

        var bounds = MetricsText.LinesOf(_registry).Where(line => line.Contains("le=", StringComparison.Ordinal)).ToArray();

        Assert.Equal($$"""sizes_bucket{le="{{first}}"} 0""", bounds[0]);
        Assert.Equal($$"""sizes_bucket{le="{{last}}"} 0""", bounds[^2]);
        Assert.Equal("""sizes_bucket{le="+Inf"} 0""", bounds[^1]);
    }

    [Fact]
    public void What_would_spoil_a_sum_for_good_is_left_out()
    {
        var counter = _meter.CreateCounter<double>("spent_total");
        var histogram = _meter.CreateHistogram<double>("wait_seconds", "s");
        foreach (var value in (double[])[double.NaN, double.PositiveInfinity, -1, 2])
        {
            counter.Add(value);
        }
        histogram.Record(double.NaN);

        var lines = MetricsText.LinesOf(_registry);

        Assert.Contains("spent_total 2", lines);
        Assert.Contains("wait_seconds_sum 0", lines);
    }

    [Fact]
    public void Observed_gauges_are_read_at_each_scrape_and_forgotten_when_they_end()
    {
        var told = new List<Measurement<double>>
        {
            new(1.5, new KeyValuePair<string, object?>("q", "a")),
            new(double.NegativeInfinity, new KeyValuePair<string, object?>("q", "b")),
        };
        _meter.CreateObservableGauge("depth", () => told);

        Assert.Equal(["# TYPE depth gauge", """depth{q="a"} 1.5""", """depth{q="b"} -Inf"""], MetricsText.LinesOf(_registry));
        told.RemoveAt(0);
        Assert.Equal(["# TYPE depth gauge", """depth{q="b"} -Inf"""], MetricsText.LinesOf(_registry));
    }

    [Fact]
    public void A_gauge_that_cannot_be_read_hides_no_other()
    {
        _meter.CreateObservableGauge("broken", long () => throw new InvalidOperationException("no"));
        _meter.CreateObservableCounter("seen_total", () => 7L);

        Assert.Equal(["# TYPE broken gauge", "# TYPE seen_total counter", "seen_total 7"], MetricsText.LinesOf(_registry));
    }

    [Fact]
    public void Other_meters_are_not_shown()
    {
        using var other = new Meter("test");
        other.CreateCounter<long>("other_total").Add(1);

        Assert.Empty(MetricsText.Of(_registry));
    }

    [Fact]
    public void A_name_that_means_something_else_already_is_left_out()
    {
        _meter.CreateCounter<long>("a_b").Add(1);
        _meter.CreateCounter<long>("a.b").Add(2);
        _meter.CreateUpDownCounter<long>("a-b").Add(4);

        Assert.Equal(["# TYPE a_b counter", "a_b 3"], MetricsText.LinesOf(_registry));
    }
}
