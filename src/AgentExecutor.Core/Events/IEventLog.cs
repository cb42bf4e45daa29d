using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Reads the events that were stored with the commits of threads. <see cref="ICheckpointStore"/> writes them; this interface reads the same
/// tables.
/// </summary>
public interface IEventLog
{
    /// <summary>
    /// Returns the commits with events after a sequence number, oldest first, together with the thread's position at the same moment.
    /// Returns null if there is no such thread. A commit is always returned as a whole, so the first one can also contain events up to
    /// <paramref name="after"/>.
    /// </summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="after">Commits are returned if the number of their last event is greater than this.</param>
    /// <param name="limit">The maximum number of commits.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="FaultException">The store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    ValueTask<LogPage?> ReadAsync(string threadId, long after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the positions of threads, omitting those that do not exist. It takes a single round trip, regardless of the number of
    /// threads.
    /// </summary>
    /// <exception cref="FaultException">The store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    ValueTask<ImmutableArray<LogPosition>> ReadPositionsAsync(ImmutableArray<string> threadIds, CancellationToken cancellationToken);

    /// <summary>
    /// Returns what these checkpoints changed, in any order, omitting those that no longer exist. It takes a few round trips, regardless of
    /// the number of checkpoints.
    /// </summary>
    /// <exception cref="FaultException">The store is unavailable (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    ValueTask<ImmutableArray<StoredChange>> ReadChangesAsync(
        string threadId,
        ImmutableArray<CheckpointKey> checkpoints,
        CancellationToken cancellationToken
    );
}

/// <summary>The position of a thread.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="Last">The <see cref="Run.LastSequence"/> of the newest run: all events of the log up to this number are stored.</param>
/// <param name="Status">The status of the newest run.</param>
public readonly record struct LogPosition(string ThreadId, long Last, RunStatus Status);

/// <summary>A page of a thread's log.</summary>
/// <param name="Commits">The events of each commit.</param>
/// <param name="Position">The position of the thread when the page was read.</param>
/// <param name="HasMore">True if there are later commits.</param>
public sealed record LogPage(ImmutableArray<StoredEvents> Commits, LogPosition Position, bool HasMore);

/// <summary>Identifies a checkpoint within a thread.</summary>
public readonly record struct CheckpointKey(string Namespace, string Id);

/// <summary>The changes of a superstep, as its commit stored them.</summary>
/// <param name="Checkpoint">The checkpoint that the superstep created.</param>
/// <param name="Updated">The changed channels, as listed in the checkpoint.</param>
/// <param name="Writes">The writes to these channels under the checkpoint's parent, by task and index.</param>
/// <param name="Values">The whole values of these channels, if they are stored in the version that the checkpoint refers to.</param>
public sealed record StoredChange(
    CheckpointKey Checkpoint,
    ImmutableArray<string> Updated,
    ImmutableArray<StoredWrite> Writes,
    ImmutableArray<StoredValue> Values
);
