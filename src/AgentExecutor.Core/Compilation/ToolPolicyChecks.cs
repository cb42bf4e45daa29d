using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks the time limit, retries, concurrency limit and rate limit of a tool.</summary>
internal static class ToolPolicyChecks
{
    public static IEnumerable<DefinitionFault> Check(ToolDefinition tool, string path)
    {
        foreach (var fault in RetryChecks.Check(tool.TimeoutSeconds, tool.Retry, field => $"{path}.{field}"))
        {
            yield return fault;
        }
        if (tool.Effects == "once" && tool.Retry is { MaxAttempts: not 1 })
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                $"{path}.retry",
                "a tool with the effects 'once' is never called again automatically",
                "remove 'retry', or change 'effects' to idempotent if a repeated call with the same key takes effect once"
            );
        }
        if (tool.MaxConcurrent is < 1)
        {
            yield return Limit($"{path}.max_concurrent", "the number of concurrent calls must be at least 1");
        }
        if (tool.CallsPerMinute is { } calls && !(calls > 0 && double.IsFinite(calls)))
        {
            yield return Limit($"{path}.calls_per_minute", "the number of calls per minute must be greater than 0");
        }
        if (tool.RuntimeType == ToolCatalog.BuiltinRuntime && FirstOf(tool) is { } field)
        {
            yield return new DefinitionFault(
                DefinitionCodes.IgnoredField,
                $"{path}.{field}",
                $"'{field}' does not apply to built-in tools",
                "remove the field"
            );
        }
    }

    private static string? FirstOf(ToolDefinition tool) =>
        tool.TimeoutSeconds is not null ? "timeout_seconds"
        : tool.Retry is not null ? "retry"
        : tool.MaxConcurrent is not null ? "max_concurrent"
        : tool.CallsPerMinute is not null ? "calls_per_minute"
        : null;

    private static DefinitionFault Limit(string path, string message) =>
        new(DefinitionCodes.InvalidLimit, path, message, "use a greater number, or omit the field for no limit");
}
