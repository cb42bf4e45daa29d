using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution.Channels;

namespace AgentExecutor.Core.Execution;

/// <summary>Where a graph's run stands: at a checkpoint, with the tasks that are due and what is already stored of them.</summary>
/// <param name="CheckpointId">Null before the first checkpoint.</param>
/// <param name="Step">The checkpoint's step.</param>
/// <param name="State">The state at the checkpoint.</param>
/// <param name="Due">The tasks that are due.</param>
/// <param name="Pending">Writes of the due tasks from an earlier attempt.</param>
public sealed record Position(
    string? CheckpointId, int Step, ChannelState State, ImmutableArray<DueTask> Due, ImmutableArray<StoredWrite> Pending)
{
    /// <summary>As an earlier attempt of the run left it, perhaps in the middle of what is due.</summary>
    public bool IsLeft { get; init; }

    public static Position Before(ChannelSet channels) => new(null, -2, ChannelState.Empty(channels), [], []);
}
