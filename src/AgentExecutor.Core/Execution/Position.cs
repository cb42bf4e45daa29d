using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Execution;

/// <summary>The current position of a graph run: a checkpoint, the tasks that are due, and the writes already stored for them.</summary>
/// <param name="CheckpointId">The checkpoint's id, or null before the first checkpoint.</param>
/// <param name="Step">The checkpoint's step.</param>
/// <param name="State">The state at the checkpoint.</param>
/// <param name="Due">The tasks that are due.</param>
/// <param name="Pending">Writes that an earlier attempt stored for the due tasks.</param>
public sealed record Position(
    string? CheckpointId,
    int Step,
    ChannelState State,
    ImmutableArray<DueTask> Due,
    ImmutableArray<StoredWrite> Pending
)
{
    /// <summary>True if an earlier attempt of the run may have started some of the due tasks.</summary>
    public bool DueTasksMayHaveBegun { get; init; }

    public static Position Before(ChannelSet channels) => new(null, -2, ChannelState.Empty(channels), [], []);
}
