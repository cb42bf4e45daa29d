using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>What a run has used so far; committed with each step, so that limits hold across crashes.</summary>
/// <param name="Supersteps">Supersteps of the root graph and all sub-graphs.</param>
/// <param name="ModelCalls">Model calls that returned.</param>
/// <param name="ToolCalls">Tool calls that were started.</param>
/// <param name="Tokens">Tokens of all model calls.</param>
/// <param name="ActiveSeconds">Seconds in which a worker had the run.</param>
public sealed record RunUsage(long Supersteps = 0, long ModelCalls = 0, long ToolCalls = 0, TokenUsage Tokens = default, double ActiveSeconds = 0);
