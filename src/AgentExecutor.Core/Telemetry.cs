using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AgentExecutor.Core;

/// <summary>The names of all spans and metrics, in one place. Labels are bounded: none contains a name that a caller chose.</summary>
/// <remarks>Dashboards and alerts use these names. A metric with labels must also be listed in <see cref="Labels"/>.</remarks>
public static class Telemetry
{
    public const string Name = "AgentExecutor";

    /// <summary>Stands for every value of a label that is not in its list.</summary>
    public const string Other = "other";

    public static readonly ActivitySource Source = new(Name);

    public static readonly Meter Meter = new(Name);

    public static readonly Counter<long> Jobs = Count("agent_executor_jobs_total", "Jobs that ended, by status.");

    public static readonly Histogram<double> JobDuration = Time(
        "agent_executor_job_duration_seconds",
        "Time that a worker spent on a job.",
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        120,
        300,
        600,
        1800,
        3600
    );

    public static readonly UpDownCounter<long> JobsInFlight = Meter.CreateUpDownCounter<long>(
        "agent_executor_jobs_in_flight",
        description: "Jobs that this process executes now."
    );

    public static readonly UpDownCounter<long> FreeSlots = Meter.CreateUpDownCounter<long>(
        "agent_executor_free_slots",
        description: "Jobs that this process could take now."
    );

    public static readonly Gauge<long> RunnableJobs = Meter.CreateGauge<long>(
        "agent_executor_runnable_jobs",
        description: "Jobs in the store that wait only for a worker. Every process reports the same value."
    );

    public static readonly Gauge<double> OldestJobWait = Meter.CreateGauge<double>(
        "agent_executor_oldest_job_wait_seconds",
        description: "Time since the first of the runnable jobs became due. Every process reports the same value."
    );

    public static readonly Gauge<double> OutboxLag = Meter.CreateGauge<double>(
        "agent_executor_outbox_lag_seconds",
        description: "Time since the oldest unpublished result was stored. Every process reports the same value."
    );

    public static readonly Counter<long> Rescues = Count(
        "agent_executor_rescues_total",
        "Jobs that this process took over from workers whose leases had expired."
    );

    public static readonly Counter<long> DeadLetters = Count(
        "agent_executor_dead_letters_total",
        "Messages moved to the dead letters, by reason."
    );

    public static readonly Gauge<long> DependencyUp = Meter.CreateGauge<long>(
        "agent_executor_dependency_up",
        description: "Whether a service that this process depends on can be reached: 1 or 0."
    );

    public static readonly Counter<long> ModelCalls = Count(
        "agent_executor_model_calls_total",
        "Attempts to call a language model, by outcome."
    );

    public static readonly Counter<long> ModelTokens = Count(
        "agent_executor_model_tokens_total",
        "Tokens that language models read (input) and wrote (output)."
    );

    public static readonly Counter<long> ToolCalls = Count("agent_executor_tool_calls_total", "Calls of tools, by outcome.");

    public static readonly Counter<long> CheckpointCommits = Count(
        "agent_executor_checkpoint_commits_total",
        "Checkpoints committed to the store."
    );

    public static readonly Histogram<double> CheckpointCommitSeconds = Time(
        "agent_executor_checkpoint_commit_seconds",
        "Time to commit a checkpoint.",
        0.0005,
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5
    );

    public static readonly Counter<long> DbConnectionErrors = Count(
        "agent_executor_db_connection_errors_total",
        "Connections to the database that failed or were lost."
    );

    public static readonly Counter<long> NatsMessagesProcessed = Count(
        "agent_executor_nats_messages_processed_total",
        "Messages from NATS that were handled and acknowledged."
    );

    public static readonly Counter<long> NatsMessagesFailed = Count(
        "agent_executor_nats_messages_failed_total",
        "Messages from NATS that were rejected or could not be handled."
    );

    public static readonly Counter<long> RedisPublishes = Count("agent_executor_redis_publish_total", "Live events published to Redis.");

    public static readonly Counter<long> RedisPublishErrors = Count(
        "agent_executor_redis_publish_errors_total",
        "Live events that Redis did not accept."
    );

    public static readonly Counter<long> StreamEventsDropped = Count(
        "agent_executor_stream_events_dropped_total",
        "Live events that were dropped because a reader or Redis was too slow."
    );

    public static readonly Counter<long> HttpRequests = Count("agent_executor_http_requests_total", "HTTP requests answered.");

    /// <remarks>A job posted to <c>/</c> is answered when it has ended, which can take minutes.</remarks>
    public static readonly Histogram<double> HttpRequestDuration = Time(
        "agent_executor_http_request_duration_seconds",
        "Time to answer an HTTP request.",
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300
    );

    public static readonly Counter<long> RetentionFailures = Count(
        "agent_executor_retention_failures_total",
        "Failed attempts of the janitor to clean up, by operation."
    );

    /// <summary>
    /// The labels of each metric that has any. If all their values are known, the series of the metric exist from the start.
    /// </summary>
    /// <remarks>
    /// The label <c>model</c> is a name from the price table or <see cref="Other"/>, and <c>provider</c> is one that this program supports.
    /// An HTTP endpoint is the template of a route, and a method is one of the HTTP standard; neither is a text that a caller sent.
    /// </remarks>
    public static readonly FrozenDictionary<string, ImmutableArray<MetricLabel>> Labels = new Dictionary<
        string,
        ImmutableArray<MetricLabel>
    >
    {
        [Jobs.Name] = [new("status", "completed", "failed", "cancelled")],
        [DeadLetters.Name] =
        [
            new(
                "reason",
                FaultCodes.InvalidEvent,
                FaultCodes.UnsupportedMediaType,
                FaultCodes.JobConflict,
                FaultCodes.DeliveredTooOften,
                FaultCodes.WorkerCrashed,
                FaultCodes.StoreRefused,
                FaultCodes.InvalidAnswer,
                FaultCodes.AnswerConflict,
                FaultCodes.UnknownThread,
                FaultCodes.UnknownInterrupt,
                FaultCodes.UnknownToolCall,
                FaultCodes.NothingToResume,
                Other
            ),
        ],
        [DependencyUp.Name] = [new("dependency", "postgres", "dragonfly", "nats")],
        [ModelCalls.Name] = [new("provider"), new("model"), new("outcome", "succeeded", "retried", "fell_back", "failed")],
        [ModelTokens.Name] = [new("provider"), new("model"), new("direction", "input", "output")],
        [ToolCalls.Name] = [new("outcome", "success", "error")],
        [RedisPublishes.Name] =
        [
            new(
                "event_type",
                "on_llm_stream",
                "on_tool_start",
                "on_tool_progress",
                "on_tool_end",
                "on_state_update",
                "on_interrupt",
                "on_error",
                "end"
            ),
        ],
        [RetentionFailures.Name] = [new("operation", "delete", "prune", "sweep")],
        [HttpRequests.Name] = [new("method"), new("endpoint"), new("status")],
        [HttpRequestDuration.Name] = [new("method"), new("endpoint")],
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public const string RunSpan = "agent.run";
    public const string SuperstepSpan = "agent.superstep";
    public const string ModelSpan = "chat";
    public const string ToolSpan = "execute_tool";

    /// <summary>The <c>error.type</c> of a tool call that the tool answered with an error.</summary>
    public const string ToolError = "tool_error";

    /// <summary>Returns the value if it is listed for the metric's only label, and otherwise <see cref="Other"/>.</summary>
    public static string Bounded(Instrument metric, string value) => Labels[metric.Name][0].Values.Contains(value) ? value : Other;

    private static Counter<long> Count(string name, string description) => Meter.CreateCounter<long>(name, description: description);

    private static Histogram<double> Time(string name, string description, params double[] bounds) =>
        Meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
}
