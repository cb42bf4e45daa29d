using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Core.Compilation;

/// <summary>Checks the names of channels wherever a definition declares or writes them, and the reducers in <c>state_schema</c>.</summary>
internal static class StateChecks
{
    private const string Hint = "choose another name for the channel";

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
                    Spelling.Hint(reducer, ChannelKinds.All, "reducers")
                );
            }
            if (channel.Default is { ValueKind: not JsonValueKind.Null } value && DefaultFault(channel, name, value) is { } wrong)
            {
                yield return new DefinitionFault(
                    DefinitionCodes.InvalidState,
                    $"{path}.properties.{name}.default",
                    wrong.Message,
                    wrong.Hint ?? "correct the value"
                );
            }
            var reason = name is "item" or "state" ? "is reserved for expressions" : ChannelNames.FaultOf(name);
            if (reason is not null)
            {
                yield return InvalidName(name, $"{path}.properties", reason);
            }
        }
    }

    private static FaultException? DefaultFault(ChannelDefinition channel, string name, JsonElement value)
    {
        try
        {
            ChannelKinds.Create(channel.Reducer ?? LastValueChannel.KindName, name)?.ReadUpdate(value, "default");
            return null;
        }
        catch (FaultException fault)
        {
            return fault;
        }
    }

    /// <summary>Checks the channels that <c>initial_state</c> writes.</summary>
    public static IEnumerable<DefinitionFault> CheckInitial(JsonElement? initialState) =>
        CheckNames(
            initialState is { ValueKind: JsonValueKind.Object } state ? state.EnumerateObject().Select(static field => field.Name) : [],
            "$.initial_state"
        );

    /// <summary>Checks the channels that a node writes with <c>output</c> and <c>assign</c>.</summary>
    /// <param name="config">The node's configuration.</param>
    /// <param name="pathOf">The path of one of its fields.</param>
    public static IEnumerable<DefinitionFault> CheckWrites(NodeConfig config, Func<string, string> pathOf)
    {
        if (config.Output is { } output && ChannelNames.FaultOf(output) is { } reason)
        {
            yield return new DefinitionFault(
                DefinitionCodes.InvalidName,
                pathOf("output"),
                $"'{output}' is not a valid channel name: it {reason}",
                Hint
            );
        }
        foreach (var fault in CheckNames(config.Assign?.Keys ?? [], pathOf("assign")))
        {
            yield return fault;
        }
    }

    private static IEnumerable<DefinitionFault> CheckNames(IEnumerable<string> names, string path) =>
        from name in names
        let reason = ChannelNames.FaultOf(name)
        where reason is not null
        select InvalidName(name, path, reason);

    private static DefinitionFault InvalidName(string name, string path, string reason) =>
        new(
            DefinitionCodes.InvalidName,
            name.Any(char.IsControl) ? path : $"{path}.{name}",
            $"'{name}' is not a valid channel name: it {reason}",
            Hint
        );
}
