using System.Diagnostics.Metrics;
using AgentExecutor.Core;
using AgentExecutor.Server.Metrics;

namespace AgentExecutor.Tests.Metrics;

public sealed class MetricsEndpointTests
{
    /// <summary>The limit of the OpenTelemetry SDK. It adds up further series in one whose label is <c>otel_metric_overflow</c>.</summary>
    private const int MostSeries = 2_000;

    private const string Prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";

    [Fact]
    public async Task A_scraper_receives_the_text_format_regardless_of_what_it_accepts()
    {
        await using var metrics = new MetricsProbe();

        var (type, text) = await metrics.ScrapeAsync(Prometheus);

        Assert.StartsWith("text/plain; version=0.0.4", type, StringComparison.Ordinal);
        Assert.DoesNotContain("_created", text, StringComparison.Ordinal);
        Assert.DoesNotContain("# EOF", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_labels_are_documented()
    {
        await using var metrics = new MetricsProbe();

        var (_, text) = await metrics.ScrapeAsync();

        Assert.DoesNotContain("otel_", text, StringComparison.Ordinal);
        Assert.DoesNotContain("target_info", text, StringComparison.Ordinal);
        Assert.DoesNotContain("{}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Measurements_are_added_to_the_seeded_series_regardless_of_label_order()
    {
        await using var metrics = new MetricsProbe();
        Telemetry.HttpRequests.Add(1, new("method", "PATCH"), new("endpoint", "/probe"), new("status", 200));
        Telemetry.HttpRequests.Add(2, new("status", 200), new("endpoint", "/probe"), new("method", "PATCH"));
        Telemetry.HttpRequestDuration.Record(0.02, new("method", "PATCH"), new KeyValuePair<string, object?>("endpoint", "/probe"));

        var lines = await metrics.LinesAsync();

        Assert.Contains("""agent_executor_http_requests_total{endpoint="/probe",method="PATCH",status="200"} 3""", lines);
        Assert.Contains("""agent_executor_http_request_duration_seconds_bucket{endpoint="/probe",method="PATCH",le="0.01"} 0""", lines);
        Assert.Contains("""agent_executor_http_request_duration_seconds_bucket{endpoint="/probe",method="PATCH",le="0.025"} 1""", lines);
    }

    [Fact]
    public async Task A_histogram_keeps_its_buckets_once_it_has_recorded_something()
    {
        await using var metrics = new MetricsProbe();
        var before = BoundsIn(await metrics.LinesAsync());

        Telemetry.CheckpointCommitSeconds.Record(0.002);
        var lines = await metrics.LinesAsync();

        Assert.Equal(before, BoundsIn(lines));
        Assert.Equal([.. Telemetry.CheckpointCommitSeconds.Advice!.HistogramBucketBoundaries!.Select(bound => $"{bound}"), "+Inf"], before);
        Assert.DoesNotContain("agent_executor_checkpoint_commit_seconds_count 0", lines);

        static List<string> BoundsIn(string[] lines) =>
            [
                .. lines
                    .Where(line => line.StartsWith("agent_executor_checkpoint_commit_seconds_bucket", StringComparison.Ordinal))
                    .Select(line => line.Split('"')[1]),
            ];
    }

    [Fact]
    public void The_known_series_of_a_metric_stay_below_the_limit_of_the_library() =>
        Assert.All(MetricCatalog.Instruments, instrument => Assert.InRange(MetricCatalog.SeriesOf(instrument).Count(), 0, MostSeries / 10));

    [Fact]
    public async Task Recording_to_a_known_series_allocates_no_memory()
    {
        await using var metrics = new MetricsProbe();
        Telemetry.ToolCalls.Add(1, new KeyValuePair<string, object?>("outcome", "success"));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 1000; round++)
        {
            Telemetry.ToolCalls.Add(1, new KeyValuePair<string, object?>("outcome", "success"));
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000); // less than one byte per measurement
    }

    [Fact]
    public void A_metric_that_the_exporter_omits_is_inserted()
    {
        using var meter = new Meter("test");
        var seconds = meter.CreateHistogram(
            "b_seconds",
            "s",
            "Time.",
            null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] }
        );

        Assert.Equal(
            """
            # TYPE a_total counter
            # HELP a_total A.
            a_total 1
            a_total{text="{} 2"} 3
            # TYPE b_seconds histogram
            # HELP b_seconds Time.
            b_seconds_bucket{le="0.5"} 0
            b_seconds_bucket{le="1"} 0
            b_seconds_bucket{le="+Inf"} 0
            b_seconds_sum 0
            b_seconds_count 0
            # TYPE c gauge
            c 2

            """,
            ScrapeText.Complete(
                "# TYPE a_total counter\n# HELP a_total A.\na_total{} 1\na_total{text=\"{} 2\"} 3\n\n# TYPE c gauge\nc{} 2\n\n",
                [seconds]
            )
        );
    }
}
