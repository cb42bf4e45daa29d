using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AgentExecutor.Core;

/// <summary>The names of all spans and metrics, in one place. Labels are bounded: never a name that a caller chose.</summary>
/// <remarks>Dashboards and alerts name these metrics and labels to the letter. A metric that has labels is listed in <see cref="Labels"/> too.</remarks>
public static class Telemetry
{
    public const string Name = "AgentExecutor";

    public static readonly ActivitySource Source = new(Name);

    public static readonly Meter Meter = new(Name);

    public static readonly Counter<long> Jobs = Count("agent_executor_jobs_total", "Jobs that reached their end, by how they ended.");

    public static readonly Histogram<double> JobDuration = Time(
        "agent_executor_job_duration_seconds", "Time that a job was worked on.",
        0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600);

    public static readonly UpDownCounter<long> JobsInFlight = Meter.CreateUpDownCounter<long>(
        "agent_executor_jobs_in_flight", description: "Jobs that this process works on now.");

    public static readonly Counter<long> ModelCalls = Count("agent_executor_model_calls_total", "Calls of language models, each attempt counted.");

    public static readonly Counter<long> ModelTokens = Count("agent_executor_model_tokens_total", "Tokens that language models read (input) and wrote (output).");

    public static readonly Counter<long> ToolCalls = Count("agent_executor_tool_calls_total", "Calls of tools, by outcome.");

    public static readonly Counter<long> CheckpointCommits = Count("agent_executor_checkpoint_commits_total", "Checkpoints committed to the store.");

    public static readonly Histogram<double> CheckpointCommitSeconds = Time(
        "agent_executor_checkpoint_commit_seconds", "Time to commit a checkpoint.",
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5);

    public static readonly Counter<long> DbConnectionErrors = Count(
        "agent_executor_db_connection_errors_total", "Connections to the database that failed or were lost.");

    public static readonly Counter<long> NatsMessagesProcessed = Count(
        "agent_executor_nats_messages_processed_total", "Messages from NATS that were handled and acknowledged.");

    public static readonly Counter<long> NatsMessagesFailed = Count(
        "agent_executor_nats_messages_failed_total", "Messages from NATS that were refused or could not be handled.");

    public static readonly Counter<long> RedisPublishes = Count("agent_executor_redis_publish_total", "Live events published to Redis.");

    public static readonly Counter<long> RedisPublishErrors = Count("agent_executor_redis_publish_errors_total", "Live events that Redis did not take.");

    public static readonly Counter<long> StreamEventsDropped = Count(
        "agent_executor_stream_events_dropped_total", "Live events not delivered because a reader or a server was too slow.");

    public static readonly Counter<long> HttpRequests = Count("agent_executor_http_requests_total", "HTTP requests answered.");

    /// <remarks>A job posted to <c>/</c> is answered at its end, so minutes are nothing unusual.</remarks>
    public static readonly Histogram<double> HttpRequestDuration = Time(
        "agent_executor_http_request_duration_seconds", "Time to answer an HTTP request.",
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300);

    /// <summary>The labels of each metric that has any. Where all their values are known, a metric shows its series before anything was counted.</summary>
    /// <remarks>An HTTP endpoint is a route's template and a method one of the standard's, never what a caller sent.</remarks>
    public static readonly FrozenDictionary<string, ImmutableArray<MetricLabel>> Labels = new Dictionary<string, ImmutableArray<MetricLabel>>
    {
        [Jobs.Name] = [new("status", "completed", "failed", "cancelled")],
        [ModelCalls.Name] = [new("provider"), new("model"), new("outcome", "succeeded", "retried", "fell_back", "failed")],
        [ModelTokens.Name] = [new("provider"), new("model"), new("direction", "input", "output")],
        [ToolCalls.Name] = [new("outcome", "success", "error")],
        [RedisPublishes.Name] =
            [new("event_type", "on_llm_stream", "on_tool_start", "on_tool_end", "on_state_update", "on_interrupt", "on_error", "end")],
        [HttpRequests.Name] = [new("method"), new("endpoint"), new("status")],
        [HttpRequestDuration.Name] = [new("method"), new("endpoint")],
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public const string RunSpan = "agent.run";
    public const string SuperstepSpan = "agent.superstep";
    public const string ModelSpan = "chat";
    public const string ToolSpan = "execute_tool";

    private static Counter<long> Count(string name, string description) => Meter.CreateCounter<long>(name, description: description);

    private static Histogram<double> Time(string name, string description, params double[] bounds) =>
        Meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
}
