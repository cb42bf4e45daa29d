using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Settings;

/// <summary>All settings of the program.</summary>
public sealed record ServerSettings
{
    /// <summary>Where the embedded database lies.</summary>
    public string DataDir { get; init; } = "./data";

    /// <summary>Survive a power cut, not only a crash of the process: one fsync a commit of the embedded database.</summary>
    public bool SyncEveryCommit { get; init; } = true;

    /// <summary>The model of agents that name none, as <c>provider:model</c>; without a provider it is OpenAI's.</summary>
    public string? LlmModelName { get; init; }

    /// <summary>What one run may use; definitions may only lower it.</summary>
    public RunLimits Limits { get; init; } = new();

    /// <summary>Tools that are called over HTTP.</summary>
    public HttpToolSettings HttpTools { get; init; } = new();

    /// <summary>Seconds that a run is given to reach its next checkpoint when the program is asked to stop.</summary>
    public double GraceSeconds { get; init; } = 10;
}
