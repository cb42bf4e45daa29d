using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks <c>limits</c>.</summary>
internal static class LimitChecks
{
    public static IEnumerable<DefinitionFault> Check(LimitsDefinition? limits, string path, RunLimits server) =>
        limits is null
            ? []
            : new[]
            {
                One(limits.MaxSupersteps, server.MaxSupersteps, path, "max_supersteps", 1),
                One(limits.MaxToolCalls, server.MaxToolCalls, path, "max_tool_calls", 0),
                One(limits.MaxSubagentDepth, server.MaxSubagentDepth, path, "max_subagent_depth", 0),
                One(limits.MaxParallelTasks, server.MaxParallelTasks, path, "max_parallel_tasks", 1),
                One(limits.MaxFanOut, server.MaxFanOut, path, "max_fan_out", 1),
                One(limits.MaxTokens, server.MaxTokens, path, "max_tokens", 1),
                One(limits.MaxCostUsd, server.MaxCostUsd, path, "max_cost_usd", 0.000001),
                One(limits.MaxSeconds, server.MaxSeconds, path, "max_seconds", 0.001),
            }.OfType<DefinitionFault>();

    private static DefinitionFault? One(double? value, double ceiling, string path, string name, double least) =>
        value > ceiling
            ? new DefinitionFault(
                DefinitionCodes.LimitAboveServer,
                $"{path}.{name}",
                $"{value} exceeds the server's limit of {ceiling}",
                $"lower it to {ceiling} or less, or raise the server's limit"
            )
        : value < least
            ? new DefinitionFault(
                DefinitionCodes.InvalidLimit,
                $"{path}.{name}",
                $"{value} is less than {least}",
                $"use a number of at least {least}"
            )
        : null;
}
