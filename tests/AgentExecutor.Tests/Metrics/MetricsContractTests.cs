using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Tests.Metrics;

/// <summary>
/// Checks the names that dashboards, alerts and scalers depend on. Values are not checked, because other tests use the same meter.
/// </summary>
public sealed class MetricsContractTests
{
    private static readonly (string Name, string Type, string Labels)[] Contract =
    [
        ("agent_executor_checkpoint_commit_seconds", "histogram", ""),
        ("agent_executor_checkpoint_commits_total", "counter", ""),
        ("agent_executor_db_connection_errors_total", "counter", ""),
        ("agent_executor_dead_letters_total", "counter", "reason"),
        ("agent_executor_dependency_up", "gauge", "dependency"),
        ("agent_executor_free_slots", "gauge", ""),
        ("agent_executor_http_request_duration_seconds", "histogram", "method,endpoint"),
        ("agent_executor_http_requests_total", "counter", "method,endpoint,status"),
        ("agent_executor_job_duration_seconds", "histogram", ""),
        ("agent_executor_jobs_in_flight", "gauge", ""),
        ("agent_executor_jobs_total", "counter", "status"),
        ("agent_executor_model_calls_total", "counter", "provider,model,outcome"),
        ("agent_executor_model_tokens_total", "counter", "provider,model,direction"),
        ("agent_executor_nats_messages_failed_total", "counter", ""),
        ("agent_executor_nats_messages_processed_total", "counter", ""),
        ("agent_executor_oldest_job_wait_seconds", "gauge", ""),
        ("agent_executor_outbox_lag_seconds", "gauge", ""),
        ("agent_executor_redis_publish_errors_total", "counter", ""),
        ("agent_executor_redis_publish_total", "counter", "event_type"),
        ("agent_executor_rescues_total", "counter", ""),
        ("agent_executor_retention_failures_total", "counter", "operation"),
        ("agent_executor_runnable_jobs", "gauge", ""),
        ("agent_executor_stream_events_dropped_total", "counter", ""),
        ("agent_executor_tool_calls_total", "counter", "outcome"),
    ];

    [Fact]
    public async Task The_metrics_are_exactly_those_of_the_contract()
    {
        await using var metrics = new MetricsProbe();

        var types = (await metrics.LinesAsync()).Where(line => line.StartsWith("# TYPE ", StringComparison.Ordinal));

        Assert.Equal(Contract.Select(metric => $"# TYPE {metric.Name} {metric.Type}"), types);
    }

    [Fact]
    public void The_documentation_lists_every_metric_with_its_type_and_labels()
    {
        var documented = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "metrics.md"))
            .Select(line => Regex.Match(line, @"^\| `(?<name>[a-z_]+)(\{(?<labels>[a-z,_]+)\})?` \| (?<type>[a-z]+) \|"))
            .Where(match => match.Success)
            .Select(match => (match.Groups["name"].Value, match.Groups["type"].Value, match.Groups["labels"].Value));

        Assert.Equal(Contract.Order(), documented.Order());
    }

    [Fact]
    public async Task Every_metric_has_a_description()
    {
        await using var metrics = new MetricsProbe();

        var lines = (await metrics.LinesAsync());

        Assert.All(Contract, metric => Assert.Single(lines, line => Regex.IsMatch(line, $"^# HELP {metric.Name} [A-Z].+\\.$")));
    }

    [Fact]
    public void The_labels_are_those_of_the_contract() =>
        Assert.Equal(
            Contract.Where(metric => metric.Labels.Length > 0).Select(metric => (metric.Name, metric.Labels)),
            Telemetry
                .Labels.OrderBy(it => it.Key, StringComparer.Ordinal)
                .Select(it => (it.Key, string.Join(',', it.Value.Select(label => label.Name))))
        );

    [Theory]
    [InlineData("agent_executor_jobs_in_flight")]
    [InlineData("agent_executor_checkpoint_commits_total")]
    [InlineData("agent_executor_db_connection_errors_total")]
    [InlineData("agent_executor_nats_messages_processed_total")]
    [InlineData("agent_executor_nats_messages_failed_total")]
    [InlineData("agent_executor_redis_publish_errors_total")]
    [InlineData("agent_executor_stream_events_dropped_total")]
    [InlineData("agent_executor_free_slots")]
    [InlineData("agent_executor_runnable_jobs")]
    [InlineData("agent_executor_oldest_job_wait_seconds")]
    [InlineData("agent_executor_outbox_lag_seconds")]
    [InlineData("agent_executor_rescues_total")]
    [InlineData("""agent_executor_dependency_up{dependency="postgres"}""")]
    [InlineData("""agent_executor_dependency_up{dependency="dragonfly"}""")]
    [InlineData("""agent_executor_dependency_up{dependency="nats"}""")]
    [InlineData("""agent_executor_dead_letters_total{reason="invalid_event"}""")]
    [InlineData("""agent_executor_dead_letters_total{reason="other"}""")]
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
    public async Task A_series_exists_before_anything_is_recorded(string series)
    {
        await using var metrics = new MetricsProbe();

        Assert.Single((await metrics.LinesAsync()), line => line.StartsWith($"{series} ", StringComparison.Ordinal));
    }

    [Fact]
    public void All_types_of_live_events_have_a_series()
    {
        var types = typeof(RunEvent)
            .GetNestedTypes()
            .Where(type => type.IsSubclassOf(typeof(RunEvent)))
            .Select(type => RunEventJson.TypeOf((RunEvent)RuntimeHelpers.GetUninitializedObject(type)));

        Assert.Equal(
            types.Distinct().Order(StringComparer.Ordinal),
            Telemetry.Labels[Telemetry.RedisPublishes.Name].Single().Values.Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Each_line_is_valid_in_the_text_format()
    {
        await using var metrics = new MetricsProbe();

        Assert.All(
            (await metrics.LinesAsync()),
            line => Assert.Matches("""^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.eE]+)$""", line)
        );
    }
}
