using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// Reads runs and their definitions. <see cref="ICheckpointStore.CommitAsync"/> writes them, together with the step that changes them.
/// </summary>
public interface IRunStore
{
    /// <summary>Returns the newest run of the thread, or null.</summary>
    ValueTask<Run?> FindAsync(string threadId, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the fencing token that a new run of the thread must exceed: the greatest token of the thread or, if there is no thread, one
    /// that is greater than any token of a deleted thread. This prevents a worker that held a deleted thread from storing anything in a
    /// later thread with the same id.
    /// </summary>
    ValueTask<long> FindFenceAsync(string threadId, CancellationToken cancellationToken);

    /// <summary>
    /// Lists the newest run of each thread, most recently created first. The store reads page by page and continues after the last run of
    /// the page, so the cost depends only on what is read, and threads may be deleted in the meantime.
    /// </summary>
    IAsyncEnumerable<Run> ListAsync(RunQuery query, CancellationToken cancellationToken);

    ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken);
}

/// <summary>Selects runs.</summary>
/// <param name="Status">Only runs with this status.</param>
/// <param name="Limit">The maximum number of runs.</param>
/// <param name="FinishedBefore">Only runs that ended before this time, most recently ended first.</param>
/// <param name="Skip">How many of the first runs to skip.</param>
public sealed record RunQuery(RunStatus? Status = null, int Limit = int.MaxValue, DateTimeOffset? FinishedBefore = null, int Skip = 0);
