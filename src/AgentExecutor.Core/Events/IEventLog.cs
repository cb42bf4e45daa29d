using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>Reads what the commits of threads told. Commits are written by <see cref="ICheckpointStore"/>; this is the other side of the same tables.</summary>
public interface IEventLog
{
    /// <summary>
    /// The commits that told of anything after a sequence number, oldest first, and how the thread stands, as of one moment; null where there is no such thread. The first
    /// commit may hold events up to <paramref name="after"/> too: a commit is read whole.
    /// </summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="after">The commits whose last event has a greater number.</param>
    /// <param name="limit">At most so many commits.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    ValueTask<LogPage?> ReadAsync(string threadId, long after, int limit, CancellationToken cancellationToken);

    /// <summary>How threads stand; those that are not there are left out. One round trip, however many are asked for.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    ValueTask<ImmutableArray<LogPosition>> LookAsync(ImmutableArray<string> threadIds, CancellationToken cancellationToken);

    /// <summary>What these checkpoints changed; those that are not kept are left out. In any order, a few round trips however many are asked for.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>.</exception>
    ValueTask<ImmutableArray<StoredChange>> ReadChangesAsync(string threadId, ImmutableArray<CheckpointKey> checkpoints, CancellationToken cancellationToken);
}

/// <summary>How far a thread has come.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="Last">The newest run's <see cref="Run.LastSequence"/>: every event of the log with a number up to this one is stored.</param>
/// <param name="Status">The newest run's.</param>
public readonly record struct LogPosition(string ThreadId, long Last, RunStatus Status);

/// <summary>A stretch of a thread's log.</summary>
/// <param name="Commits">What each commit told.</param>
/// <param name="Position">How the thread stood at that moment.</param>
/// <param name="HasMore">There are later commits than these.</param>
public sealed record LogPage(ImmutableArray<StoredEvents> Commits, LogPosition Position, bool HasMore);

/// <summary>Names a checkpoint of a thread.</summary>
public readonly record struct CheckpointKey(string Namespace, string Id);

/// <summary>What a superstep changed, as its commit stored it.</summary>
/// <param name="Checkpoint">The checkpoint that it made.</param>
/// <param name="Updated">The channels that changed, as the checkpoint has them.</param>
/// <param name="Writes">The writes to those channels under the checkpoint's parent, by task and index.</param>
/// <param name="Values">The whole values that the checkpoint names of those channels, where they are stored at its very version.</param>
public sealed record StoredChange(
    CheckpointKey Checkpoint, ImmutableArray<string> Updated, ImmutableArray<StoredWrite> Writes, ImmutableArray<StoredValue> Values);
