using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Server.Metrics;

namespace AgentExecutor.Tests.Metrics;

/// <summary>What dashboards, alerts and scalers depend on to the letter. Other tests count on the same meter, so only names are looked at, no values.</summary>
public sealed class MetricsContractTests
{
    private static readonly (string Name, string Type, string Labels)[] Contract =
    [
        ("agent_executor_checkpoint_commit_seconds", "histogram", ""),
        ("agent_executor_checkpoint_commits_total", "counter", ""),
        ("agent_executor_db_connection_errors_total", "counter", ""),
        ("agent_executor_http_request_duration_seconds", "histogram", "method,endpoint"),
        ("agent_executor_http_requests_total", "counter", "method,endpoint,status"),
        ("agent_executor_job_duration_seconds", "histogram", ""),
        ("agent_executor_jobs_in_flight", "gauge", ""),
        ("agent_executor_jobs_total", "counter", "status"),
        ("agent_executor_model_calls_total", "counter", "provider,model,outcome"),
        ("agent_executor_model_tokens_total", "counter", "provider,model,direction"),
        ("agent_executor_nats_messages_failed_total", "counter", ""),
        ("agent_executor_nats_messages_processed_total", "counter", ""),
        ("agent_executor_redis_publish_errors_total", "counter", ""),
        ("agent_executor_redis_publish_total", "counter", "event_type"),
        ("agent_executor_stream_events_dropped_total", "counter", ""),
        ("agent_executor_tool_calls_total", "counter", "outcome"),
    ];

    [Fact]
    public void Every_metric_of_the_contract_is_there_and_no_other()
    {
        using var registry = new MetricsRegistry();

        var types = MetricsText.LinesOf(registry).Where(line => line.StartsWith("# TYPE ", StringComparison.Ordinal));

        Assert.Equal(Contract.Select(metric => $"# TYPE {metric.Name} {metric.Type}"), types);
    }

    [Fact]
    public void Every_metric_is_explained()
    {
        using var registry = new MetricsRegistry();

        var lines = MetricsText.LinesOf(registry);

        Assert.All(Contract, metric => Assert.Single(lines, line => Regex.IsMatch(line, $"^# HELP {metric.Name} [A-Z].+\\.$")));
    }

    [Fact]
    public void The_labels_are_those_of_the_contract() => Assert.Equal(
        Contract.Where(metric => metric.Labels.Length > 0).Select(metric => (metric.Name, metric.Labels)),
        Telemetry.Labels.OrderBy(it => it.Key, StringComparer.Ordinal).Select(it => (it.Key, string.Join(',', it.Value.Select(label => label.Name)))));

    [Theory]
    [InlineData("agent_executor_jobs_in_flight")]
    [InlineData("agent_executor_checkpoint_commits_total")]
    [InlineData("agent_executor_db_connection_errors_total")]
    [InlineData("agent_executor_nats_messages_processed_total")]
    [InlineData("agent_executor_nats_messages_failed_total")]
    [InlineData("agent_executor_redis_publish_errors_total")]
    [InlineData("agent_executor_stream_events_dropped_total")]
    [InlineData("""agent_executor_jobs_total{status="completed"}""")]
    [InlineData("""agent_executor_jobs_total{status="failed"}""")]
    [InlineData("""agent_executor_jobs_total{status="cancelled"}""")]
    [InlineData("""agent_executor_tool_calls_total{outcome="success"}""")]
    [InlineData("""agent_executor_tool_calls_total{outcome="error"}""")]
    [InlineData("""agent_executor_redis_publish_total{event_type="on_llm_stream"}""")]
    [InlineData("""agent_executor_redis_publish_total{event_type="end"}""")]
    [InlineData("""agent_executor_job_duration_seconds_bucket{le="+Inf"}""")]
    [InlineData("agent_executor_job_duration_seconds_count")]
    [InlineData("agent_executor_job_duration_seconds_sum")]
    [InlineData("""agent_executor_checkpoint_commit_seconds_bucket{le="0.001"}""")]
    public void A_series_is_there_before_anything_was_counted(string series)
    {
        using var registry = new MetricsRegistry();

        Assert.Single(MetricsText.LinesOf(registry), line => line.StartsWith($"{series} ", StringComparison.Ordinal));
    }

    [Fact]
    public void The_types_of_live_events_are_all_known()
    {
        var types = typeof(RunEvent).GetNestedTypes().Where(type => type.IsSubclassOf(typeof(RunEvent)))
            .Select(type => RunEventJson.TypeOf((RunEvent)RuntimeHelpers.GetUninitializedObject(type)));

        Assert.Equal(
            types.Distinct().Order(StringComparer.Ordinal),
            Telemetry.Labels[Telemetry.RedisPublishes.Name].Single().Values.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Each_line_is_one_that_the_format_knows()
    {
        using var registry = new MetricsRegistry();

        Assert.All(MetricsText.LinesOf(registry), line => Assert.Matches(
            """^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.eE]+)$""", line));
    }
}
