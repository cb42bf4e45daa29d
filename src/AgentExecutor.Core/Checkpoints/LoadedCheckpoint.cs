using System.Collections.Immutable;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>A checkpoint with all that is needed to go on from it.</summary>
/// <param name="Checkpoint">The checkpoint.</param>
/// <param name="Values">The whole values of the channels that are not delta channels.</param>
/// <param name="Deltas">Of each delta channel, what rebuilds its value.</param>
/// <param name="Pending">The writes stored under this checkpoint, by task and index: of the superstep that starts from it.</param>
public sealed record LoadedCheckpoint(
    StoredCheckpoint Checkpoint,
    ImmutableArray<StoredValue> Values,
    ImmutableArray<DeltaHistory> Deltas,
    ImmutableArray<StoredWrite> Pending);

/// <summary>How a delta channel's value is rebuilt: the newest whole value at or before the checkpoint, then each later superstep's updates.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Base">The whole value, where one was stored.</param>
/// <param name="Updates">The updates since, oldest first, in task order within a superstep.</param>
public sealed record DeltaHistory(string Channel, ReadOnlyMemory<byte>? Base, ImmutableArray<ReadOnlyMemory<byte>> Updates);
