using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AgentExecutor.Core;

/// <summary>The names of all spans and metrics, in one place. Labels are bounded: never a name that a caller chose.</summary>
public static class Telemetry
{
    public const string Name = "AgentExecutor";

    public static readonly ActivitySource Source = new(Name);

    public static readonly Meter Meter = new(Name);

    public static readonly Counter<long> ModelCalls = Meter.CreateCounter<long>("agent_executor_model_calls_total");

    public static readonly Counter<long> ModelTokens = Meter.CreateCounter<long>("agent_executor_model_tokens_total");

    public static readonly Counter<long> ToolCalls = Meter.CreateCounter<long>("agent_executor_tool_calls_total");

    public static readonly Counter<long> CheckpointCommits = Meter.CreateCounter<long>("agent_executor_checkpoint_commits_total");

    public static readonly Histogram<double> CheckpointCommitSeconds = Meter.CreateHistogram<double>("agent_executor_checkpoint_commit_seconds", "s");

    public static readonly Counter<long> DbConnectionErrors = Meter.CreateCounter<long>("agent_executor_db_connection_errors_total");

    public static readonly Counter<long> Jobs = Meter.CreateCounter<long>("agent_executor_jobs_total");

    public static readonly Histogram<double> JobDuration = Meter.CreateHistogram<double>("agent_executor_job_duration_seconds", "s");

    public static readonly UpDownCounter<long> JobsInFlight = Meter.CreateUpDownCounter<long>("agent_executor_jobs_in_flight");

    public static readonly Counter<long> NatsMessagesProcessed = Meter.CreateCounter<long>("agent_executor_nats_messages_processed_total");

    public static readonly Counter<long> NatsMessagesFailed = Meter.CreateCounter<long>("agent_executor_nats_messages_failed_total");

    public const string RunSpan = "agent.run";
    public const string SuperstepSpan = "agent.superstep";
    public const string ModelSpan = "chat";
    public const string ToolSpan = "execute_tool";
}
