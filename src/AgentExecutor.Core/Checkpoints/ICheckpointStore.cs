namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// Keeps the checkpoints and pending writes of threads. The contract's text is the conformance suite; in short: a commit is
/// atomic and durable when the call returns, a reader sees whole commits only, and all methods are safe to call at once.
/// </summary>
public interface ICheckpointStore
{
    /// <summary>Applies the commit in one transaction. Repeating a commit changes nothing.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.LeaseLost"/>: the thread has a run with a newer fence; <see cref="FaultCodes.ThreadBusy"/>: the commit would acquire a thread
    /// whose lease another holds; <see cref="FaultCodes.StoreUnavailable"/>: the store could not be reached in time. Nothing was changed, or in the last
    /// case perhaps all of it.
    /// </exception>
    ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken);

    /// <summary>The checkpoint with this id, or the newest where none is named; null where there is none.</summary>
    ValueTask<LoadedCheckpoint?> LoadAsync(string threadId, string ns, string? checkpointId, CancellationToken cancellationToken);

    /// <summary>Checkpoints, newest first.</summary>
    IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken);

    /// <summary>The journal's entry for a task's tool call, or null.</summary>
    ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken);

    /// <summary>Copies a thread's root checkpoints up to and including <paramref name="checkpointId"/> to a new thread, without pending writes.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.UnknownCheckpoint"/>: there is no such checkpoint; <see cref="FaultCodes.ThreadExists"/>: the target has checkpoints.
    /// </exception>
    ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken);

    /// <summary>Deletes a thread's checkpoints, writes and runs; no fault where there are none.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.ThreadBusy"/>: workers share the store, and one has the thread or a run waits for it.</exception>
    ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes all but the newest <paramref name="keep"/> checkpoints of each namespace of a thread; what their values are
    /// rebuilt from stays. Returns how many checkpoints went.
    /// </summary>
    ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken);
}

/// <summary>Which checkpoints to list.</summary>
/// <param name="ThreadId">The thread.</param>
/// <param name="Namespace">The namespace; null for all of them.</param>
/// <param name="Before">Only checkpoints with a smaller id.</param>
/// <param name="Source">Only checkpoints made by this.</param>
/// <param name="RunId">Only checkpoints of this run.</param>
/// <param name="Limit">At most so many.</param>
public sealed record CheckpointQuery(
    string ThreadId, string? Namespace = "", string? Before = null, CheckpointSource? Source = null, string? RunId = null, int Limit = int.MaxValue);
