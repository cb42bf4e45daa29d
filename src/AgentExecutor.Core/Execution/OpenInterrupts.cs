using System.Collections.Immutable;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Execution;

/// <summary>The questions that wait for a person at a position of the root graph; those of sub-graphs are among them.</summary>
public static class OpenInterrupts
{
    public static ImmutableArray<InterruptRequest> Of(string threadId, Position at, Graph graph)
    {
        var open = ImmutableArray.CreateBuilder<InterruptRequest>();
        for (var i = 0; i < at.Due.Length && !at.Pending.IsEmpty; i++)
        {
            var task = new GraphTask(at.Due[i], i, graph.Require(at.Due[i].Node), threadId, at.CheckpointId!, "");
            PendingWrites.Restore(task, at.Pending, at.State.Channels);
            open.AddRange(task.OpenInterrupts);
        }
        return open.ToImmutable();
    }
}
