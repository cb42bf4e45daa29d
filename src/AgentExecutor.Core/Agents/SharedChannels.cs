using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// The channels that an agent and the graph that calls it both have. The agent starts with the caller's values, and its changes are merged
/// back through the reducers of the caller. Messages and todos belong to one agent only, and files are merged by
/// <see cref="NodeContext.RunSubgraphAsync"/>.
/// </summary>
internal static class SharedChannels
{
    /// <summary>Returns the caller's values of shared channels, and the agent's own defaults for its other channels.</summary>
    public static ImmutableArray<KeyValuePair<string, object>> Input(AgentSpec agent, ChannelState caller)
    {
        var input = ImmutableArray.CreateBuilder<KeyValuePair<string, object>>();
        foreach (var channel in agent.Channels.Where(channel => !AgentState.Contains(channel.Name)))
        {
            if (Shared(channel, caller) is { } value)
            {
                input.Add(KeyValuePair.Create(channel.Name, value));
            }
            else if (agent.Defaults.TryGetValue(channel.Name, out var written))
            {
                input.Add(KeyValuePair.Create(channel.Name, channel.ReadUpdate(written, "default")));
            }
        }
        return input.ToImmutable();
    }

    /// <summary>Writes what the agent has changed to the caller's channels.</summary>
    public static void MergeBack(AgentSpec agent, ChannelState result, NodeContext context)
    {
        var caller = context.State.State;
        foreach (var channel in agent.Channels.Where(channel => !AgentState.Contains(channel.Name)))
        {
            if (
                caller.Channels.IndexOf(channel.Name) is >= 0 and var index
                && caller.Channels[index].Kind == channel.Kind
                && result[channel.Name] is { } after
                && channel.Difference(Shared(channel, caller), after) is { } update
            )
            {
                context.Write(channel.Name, update);
            }
        }
    }

    private static object? Shared(Channel channel, ChannelState caller) =>
        channel.CanBeShared && caller.Channels.IndexOf(channel.Name) is >= 0 and var index && caller.Channels[index].Kind == channel.Kind
            ? caller.Slots[index].Value
            : null;
}
