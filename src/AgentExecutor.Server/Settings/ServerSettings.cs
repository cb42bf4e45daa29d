using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.Mcp;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Adapters.Scripts;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Server.Settings;

/// <summary>All settings of the program.</summary>
public sealed record ServerSettings
{
    /// <summary>The directory of the embedded database.</summary>
    public string DataDir { get; init; } = "./data";

    /// <summary>
    /// Whether every commit of the embedded database is flushed to disk (one fsync per commit), so that it survives a power failure and not
    /// only a crash of the process.
    /// </summary>
    public bool SyncEveryCommit { get; init; } = true;

    /// <summary>The PostgreSQL server that stores the threads. If none is configured, the embedded database is used.</summary>
    public PostgresSettings Postgres { get; init; } = new();

    /// <summary>
    /// The NATS server that delivers jobs and receives results. If none is configured, tables of the store are used for both.
    /// </summary>
    public NatsSettings Nats { get; init; } = new();

    /// <summary>How jobs, results and dead letters are kept.</summary>
    public BusSettings Bus { get; init; } = new();

    /// <summary>
    /// The Redis-compatible server that distributes live events. If none is configured, only the process that executes a run has its live
    /// events, and other processes read the log.
    /// </summary>
    public RedisSettings Redis { get; init; } = new();

    /// <summary>The HTTP port of `serve`; 0 selects a free port.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>How `serve` listens for HTTP.</summary>
    public HttpSettings Http { get; init; } = new();

    /// <summary>
    /// The secret, of at least 16 characters, that signs links, callbacks and webhooks. Without it they are not used. Changing it makes
    /// all links that were sent invalid.
    /// </summary>
    public Secret SigningKey { get; init; }

    /// <summary>How live events are streamed.</summary>
    public StreamSettings Stream { get; init; } = new();

    /// <summary>How `serve` executes runs.</summary>
    public WorkerSettings Worker { get; init; } = new();

    /// <summary>What the janitor deletes.</summary>
    public RetentionSettings Retention { get; init; } = new();

    /// <summary>
    /// The roles of `serve`: `all`, or a comma-separated list of `executor` (executes submitted runs) and `janitor` (deletes expired data).
    /// </summary>
    public string Roles { get; init; } = "all";

    /// <summary>The minimum level of the logs of `serve`: `DEBUG`, `INFO`, `WARNING` or `ERROR`.</summary>
    public string LogLevel { get; init; } = "INFO";

    /// <summary>
    /// What happens to a tool call that was in flight when its worker died, if the tool must not be called twice: `ask` a person for the
    /// outcome, or `tell_model` that the outcome is unknown.
    /// </summary>
    public UnknownOutcome UnknownOutcome { get; init; } = UnknownOutcome.Ask;

    /// <summary>
    /// The model of agents whose definition names none, as <c>provider:model</c>. Without a provider, names that start with `claude` use
    /// `anthropic`, and all others `openai`.
    /// </summary>
    public string? LlmModelName { get; init; }

    /// <summary>
    /// A JSON file with model prices in US dollars per million tokens. It overrides the prices that are included in the program.
    /// </summary>
    public string? PricesFile { get; init; }

    /// <summary>
    /// A directory of skills that definitions may name, one folder with a `SKILL.md` for each. It is read when the program starts.
    /// </summary>
    public string? SkillsDir { get; init; }

    /// <summary>The servers of language models, and their keys.</summary>
    public ModelServerSettings ModelServers { get; init; } = new();

    /// <summary>How models are called.</summary>
    public ModelCallSettings Models { get; init; } = new();

    /// <summary>The limits of one run. Definitions can only lower them.</summary>
    public RunLimits Limits { get; init; } = new();

    /// <summary>The tools of definitions.</summary>
    public ToolSettings Tools { get; init; } = new();

    /// <summary>Tools that are called over HTTP.</summary>
    public HttpToolSettings HttpTools { get; init; } = new();

    /// <summary>Tools that definitions bring as scripts.</summary>
    public ScriptToolSettings ScriptTools { get; init; } = new();

    /// <summary>The isolation of programs that definitions bring.</summary>
    public SandboxSettings Sandbox { get; init; } = new();

    /// <summary>Tools of MCP servers.</summary>
    public McpSettings Mcp { get; init; } = new();

    /// <summary>The export of metrics and traces.</summary>
    public OpenTelemetrySettings OpenTelemetry { get; init; } = new();

    /// <summary>
    /// The delay in seconds between the termination signal and the shutdown. During the delay `/ready` returns 503 and everything else
    /// continues, so that load balancers can stop sending requests. A second signal ends the delay.
    /// </summary>
    public double ShutdownDelaySeconds { get; init; }

    /// <summary>The time in seconds that runs have to reach their next checkpoint during a shutdown.</summary>
    public double GraceSeconds { get; init; } = 10;
}
