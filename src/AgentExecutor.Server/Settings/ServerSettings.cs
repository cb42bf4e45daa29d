using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Server.Settings;

/// <summary>All settings of the program.</summary>
public sealed record ServerSettings
{
    /// <summary>Where the embedded database lies.</summary>
    public string DataDir { get; init; } = "./data";

    /// <summary>Survive a power cut, not only a crash of the process: one fsync a commit of the embedded database.</summary>
    public bool SyncEveryCommit { get; init; } = true;

    /// <summary>The PostgreSQL server that keeps the threads; where none is named, the embedded database does.</summary>
    public PostgresSettings Postgres { get; init; } = new();

    /// <summary>The NATS server that jobs come from and results go to; where none is named, tables of the store do for both.</summary>
    public NatsSettings Nats { get; init; } = new();

    /// <summary>How jobs, results and dead letters are kept.</summary>
    public BusSettings Bus { get; init; } = new();

    /// <summary>The Redis-compatible server that live events go over; where none is named, they are seen in the process that runs them, and others read the log.</summary>
    public RedisSettings Redis { get; init; } = new();

    /// <summary>The port that `serve` listens on for HTTP; 0 for any that is free.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>How it listens.</summary>
    public HttpSettings Http { get; init; } = new();

    /// <summary>How live events are streamed.</summary>
    public StreamSettings Stream { get; init; } = new();

    /// <summary>How `serve` takes runs.</summary>
    public WorkerSettings Worker { get; init; } = new();

    /// <summary>What the janitor deletes.</summary>
    public RetentionSettings Retention { get; init; } = new();

    /// <summary>What `serve` does: `all`, or some of `executor` (runs what is submitted) and `janitor` (deletes what need not be kept), with commas.</summary>
    public string Roles { get; init; } = "all";

    /// <summary>From which level on `serve` logs: `DEBUG`, `INFO`, `WARNING` or `ERROR`.</summary>
    public string LogLevel { get; init; } = "INFO";

    /// <summary>What becomes of a tool call that was in flight when its worker died, where the tool must not be called twice: `ask` a person, or `tell_model` that nobody knows.</summary>
    public UnknownOutcome UnknownOutcome { get; init; } = UnknownOutcome.Ask;

    /// <summary>The model of agents that name none, as <c>provider:model</c>; without a provider it is Anthropic's where it begins with `claude`, else OpenAI's.</summary>
    public string? LlmModelName { get; init; }

    /// <summary>A JSON file of model prices in US dollars per million tokens, over those that came with the program.</summary>
    public string? PricesFile { get; init; }

    /// <summary>Servers of language models, and the keys to them.</summary>
    public ModelServerSettings ModelServers { get; init; } = new();

    /// <summary>How models are called.</summary>
    public ModelCallSettings Models { get; init; } = new();

    /// <summary>What one run may use; definitions may only lower it.</summary>
    public RunLimits Limits { get; init; } = new();

    /// <summary>Tools that are called over HTTP.</summary>
    public HttpToolSettings HttpTools { get; init; } = new();

    /// <summary>Seconds that a run is given to reach its next checkpoint when the program is asked to stop.</summary>
    public double GraceSeconds { get; init; } = 10;
}
