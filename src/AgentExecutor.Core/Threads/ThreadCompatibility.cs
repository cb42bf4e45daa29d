using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Threads;

/// <summary>
/// Checks whether a thread can continue with another definition. The definition must give each existing channel the same reducer, because
/// otherwise the stored checkpoints could no longer be read.
/// </summary>
internal static class ThreadCompatibility
{
    /// <exception cref="FaultException">A channel has another reducer (<see cref="FaultCodes.DefinitionMismatch"/>).</exception>
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
                    $"the definition does not fit the thread '{threadId}': "
                        + $"the thread's channel '{channel.Name}' has the reducer {channel.Kind}, and the definition's has {kind}",
                    "run it on another thread, or give the channel the same reducer"
                );
            }
        }
    }
}
