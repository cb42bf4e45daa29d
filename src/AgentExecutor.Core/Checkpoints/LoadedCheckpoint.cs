using System.Collections.Immutable;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>A checkpoint with everything that is needed to continue from it.</summary>
/// <param name="Checkpoint">The checkpoint.</param>
/// <param name="Values">The whole values of the channels that are not delta channels.</param>
/// <param name="Deltas">The data from which the value of each delta channel is rebuilt.</param>
/// <param name="Pending">The writes of the superstep that starts from this checkpoint, ordered by task and index.</param>
public sealed record LoadedCheckpoint(
    StoredCheckpoint Checkpoint,
    ImmutableArray<StoredValue> Values,
    ImmutableArray<DeltaHistory> Deltas,
    ImmutableArray<StoredWrite> Pending
);

/// <summary>
/// Rebuilds the value of a delta channel: the newest whole value at or before the checkpoint, followed by the updates of each later
/// superstep.
/// </summary>
/// <param name="Channel">The channel.</param>
/// <param name="Base">The whole value, or null if none was stored.</param>
/// <param name="Updates">The updates since then, oldest first, and in task order within a superstep.</param>
public sealed record DeltaHistory(string Channel, ReadOnlyMemory<byte>? Base, ImmutableArray<ReadOnlyMemory<byte>> Updates);
