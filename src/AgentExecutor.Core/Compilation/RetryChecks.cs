using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks retries and time limits, which nodes and tools have in common.</summary>
internal static class RetryChecks
{
    private const double MaxSeconds = 86_400;

    /// <param name="timeoutSeconds">The time limit, or null.</param>
    /// <param name="retry">The retries, or null.</param>
    /// <param name="pathOf">Returns the path of a field of the node or tool.</param>
    public static IEnumerable<DefinitionFault> Check(double? timeoutSeconds, RetryDefinition? retry, Func<string, string> pathOf)
    {
        if (timeoutSeconds is <= 0 or > MaxSeconds)
        {
            yield return Fault(
                pathOf("timeout_seconds"),
                $"the time limit must be greater than 0 and at most {MaxSeconds} seconds",
                "use a number in this range, or omit the field"
            );
        }
        if (retry?.FirstDelaySeconds is < 0 or > MaxSeconds || retry?.MaxDelaySeconds is < 0 or > MaxSeconds)
        {
            yield return Fault(pathOf("retry"), $"a delay must be between 0 and {MaxSeconds} seconds", "use a number in this range");
        }
        if (retry?.MaxAttempts is < 1 or > 20)
        {
            yield return Fault(
                pathOf("retry") + ".max_attempts",
                "the number of attempts must be between 1 and 20",
                "use a number in this range"
            );
        }
    }

    private static DefinitionFault Fault(string path, string message, string hint) =>
        new(DefinitionCodes.InvalidLimit, path, message, hint);
}
