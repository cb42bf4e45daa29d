using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Runs;

/// <summary>
/// A thread keeps its channels. Another definition may go on with it where it gives each of them the same reducer; else the thread's past could
/// no longer be read.
/// </summary>
internal static class ThreadFit
{
    /// <exception cref="FaultException"><see cref="FaultCodes.DefinitionMismatch"/>.</exception>
    public static void Check(Graph before, Graph after, string threadId)
    {
        foreach (var channel in before.Channels.Channels)
        {
            var index = after.Channels.IndexOf(channel.Name);
            var kind = index < 0 ? LastValueChannel.KindName : after.Channels[index].Kind;
            if (kind != channel.Kind)
            {
                throw new FaultException(
                    FaultCodes.DefinitionMismatch,
                    $"the definition does not fit the thread '{threadId}': its channel '{channel.Name}' has the reducer {channel.Kind} there, and {kind} here",
                    "run it on another thread, or give the channel the same reducer");
            }
        }
    }
}
