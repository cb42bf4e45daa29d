using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools;

/// <summary>Checks the state updates of tools, and writes them to the state.</summary>
internal static class ToolUpdates
{
    /// <summary>
    /// Returns the result, or an error for the model in its place if the graph has no such channel or a channel does not accept its update.
    /// </summary>
    public static ToolResult Checked(ToolResult result, NodeContext context)
    {
        if (result.Updates.IsDefaultOrEmpty)
        {
            return result;
        }
        try
        {
            var state = context.State.State;
            foreach (var (name, value) in result.Updates)
            {
                if (InputJson.IsTooDeep(value))
                {
                    return ToolResult.Error($"Error: the update of the channel '{name}' {InputJson.TooDeep}. Nothing was changed.");
                }
                var index = state.Channels.Require(name);
                var channel = state.Channels[index];
                channel.Reduce(state.Slots[index].Value, [channel.ReadUpdate(value, context.TaskId)]);
            }
            return result;
        }
        catch (FaultException fault)
        {
            return ToolResult.Error($"Error: the tool's update of the state was refused: {fault.Message}. Nothing was changed.");
        }
    }

    /// <summary>Writes the updates. They take effect with the commit of the superstep.</summary>
    public static void Write(ToolResult result, NodeContext context)
    {
        foreach (var (channel, value) in result.Updates.IsDefault ? [] : result.Updates)
        {
            context.WriteJson(channel, value);
        }
    }
}
