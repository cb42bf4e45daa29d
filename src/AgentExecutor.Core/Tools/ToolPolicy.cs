using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Tools;

/// <summary>How the calls of a tool are limited and repeated.</summary>
public sealed record ToolPolicy
{
    public static readonly ToolPolicy None = new();

    /// <summary>The time limit of one attempt; null for none.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// How attempts that failed transiently (<see cref="ToolResult.IsTransient"/>) are repeated. It does not apply to tools each of whose
    /// calls takes effect.
    /// </summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>The limits that all calls of the tool in this process share; null for none.</summary>
    public ToolGate? Gate { get; init; }
}
