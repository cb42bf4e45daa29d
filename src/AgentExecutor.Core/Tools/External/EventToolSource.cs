using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Tools.External;

/// <summary>Creates the tools that are executed elsewhere.</summary>
public sealed class EventToolSource : IToolSource
{
    private const double MaxSeconds = 30 * 86_400;

    public string RuntimeType => "event";

    public IEnumerable<ToolFault> Check(ToolDefinition definition)
    {
        if (definition.Runtime?.TimeoutSeconds is { } seconds and (<= 0 or > MaxSeconds or double.NaN))
        {
            yield return new ToolFault(
                "runtime.timeout_seconds",
                DefinitionCodes.InvalidLimit,
                $"the timeout {seconds} is not above 0 and at most {MaxSeconds} seconds",
                "use a number in this range, or omit the field for one day"
            );
        }
        if (definition.MaxConcurrent is not null)
        {
            yield return new ToolFault(
                "max_concurrent",
                DefinitionCodes.WrongValue,
                "the service does not limit how many calls of a tool of the runtime event are open, because they are executed elsewhere",
                "remove the field, and limit the calls where they are executed"
            );
        }
        foreach (var (name, isSet) in Others(definition.Runtime))
        {
            if (isSet)
            {
                yield return new ToolFault(
                    $"runtime.{name}",
                    DefinitionCodes.WrongValue,
                    $"a tool of the runtime event has no '{name}', because it is executed elsewhere",
                    "remove the field, or choose another runtime"
                );
            }
        }
    }

    public Tool Create(ToolDefinition definition) => new EventTool(definition);

    private static IEnumerable<(string Name, bool IsSet)> Others(ToolRuntimeDefinition? runtime) =>
        [("script", runtime?.Script is not null), ("url", runtime?.Url is not null), ("method", runtime?.Method is not null)];
}
