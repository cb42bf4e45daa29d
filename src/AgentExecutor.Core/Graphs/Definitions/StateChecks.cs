using AgentExecutor.Core.Execution.Channels;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Checks of <c>state_schema</c>.</summary>
internal static class StateChecks
{
    public static IEnumerable<DefinitionFault> Check(StateSchema? schema, string path)
    {
        foreach (var (name, channel) in schema?.Properties ?? new Dictionary<string, ChannelDefinition>())
        {
            if (channel.Reducer is { } reducer && !ChannelKinds.All.Contains(reducer))
            {
                yield return new DefinitionFault(
                    DefinitionCodes.UnknownReducer,
                    $"{path}.properties.{name}.reducer",
                    $"there is no reducer '{reducer}'",
                    Spelling.Hint(reducer, ChannelKinds.All, "reducers"));
            }
            if (name is "item" or "state" || name.StartsWith("__", StringComparison.Ordinal) || name.StartsWith("join:", StringComparison.Ordinal))
            {
                yield return new DefinitionFault(DefinitionCodes.InvalidName, $"{path}.properties.{name}", $"a channel cannot be called '{name}'", "choose another name");
            }
        }
    }
}
