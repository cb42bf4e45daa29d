namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// Stores the checkpoints and pending writes of threads. The conformance tests specify the contract. In short: a commit is atomic and
/// durable when the call returns, readers only see whole commits, and all methods are thread-safe.
/// </summary>
public interface ICheckpointStore
{
    /// <summary>Applies the commit in one transaction. Repeating a commit changes nothing.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.LeaseLost"/>: the thread has a run with a newer fencing token. <see cref="FaultCodes.ThreadBusy"/>: the commit
    /// would acquire a thread whose lease another worker holds. <see cref="FaultCodes.CancelRequested"/>: there is a request to cancel the
    /// run, so it can only end as cancelled and cannot be interrupted or returned to the queue. <see cref="FaultCodes.StoreUnavailable"/>:
    /// the store could not be reached in time. Nothing was changed, except that in the last case all of the commit may have been applied.
    /// </exception>
    ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken);

    /// <summary>Returns the checkpoint with this id, or the newest one if the id is null. Returns null if there is none.</summary>
    ValueTask<LoadedCheckpoint?> LoadAsync(string threadId, string ns, string? checkpointId, CancellationToken cancellationToken);

    /// <summary>Lists checkpoints, newest first.</summary>
    IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken);

    /// <summary>Returns the journal's entry for a task's tool call, or null.</summary>
    ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken);

    /// <summary>
    /// Copies the root checkpoints of a thread up to and including <paramref name="checkpointId"/> to a new thread, without pending writes.
    /// </summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.UnknownCheckpoint"/>: there is no such checkpoint. <see cref="FaultCodes.ThreadExists"/>: the target thread
    /// already exists.
    /// </exception>
    ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken);

    /// <summary>Deletes the checkpoints, writes and runs of a thread. Does nothing if there is no such thread.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.ThreadBusy"/>: a worker holds the thread, or a run waits for it.</exception>
    ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes all but the newest <paramref name="keep"/> checkpoints of each namespace of a thread, and returns the number of deleted
    /// checkpoints. Older checkpoints from which the kept values are rebuilt are kept too.
    /// </summary>
    ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken);
}

/// <summary>Selects checkpoints.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="Namespace">The namespace, or null for all namespaces.</param>
/// <param name="Before">Only checkpoints with a smaller id than this.</param>
/// <param name="Source">Only checkpoints with this source.</param>
/// <param name="RunId">Only checkpoints of this run.</param>
/// <param name="Limit">The maximum number of checkpoints.</param>
public sealed record CheckpointQuery(
    string ThreadId,
    string? Namespace = "",
    string? Before = null,
    CheckpointSource? Source = null,
    string? RunId = null,
    int Limit = int.MaxValue
);
