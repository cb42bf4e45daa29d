using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.Runs;

/// <summary>Reads runs and their definitions; they are written by <see cref="ICheckpointStore.CommitAsync"/>, with the step that changes them.</summary>
public interface IRunStore
{
    /// <summary>The newest run of the thread, or null.</summary>
    ValueTask<Run?> FindAsync(string threadId, CancellationToken cancellationToken);

    /// <summary>The newest run of each thread, last changed first.</summary>
    IAsyncEnumerable<Run> ListAsync(RunQuery query, CancellationToken cancellationToken);

    ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken);
}

/// <summary>Which runs to list.</summary>
/// <param name="Status">Only runs that stand here.</param>
/// <param name="Limit">At most so many.</param>
/// <param name="FinishedBefore">Only runs that ended before this, last ended first.</param>
/// <param name="Skip">Leaves so many of the first out.</param>
public sealed record RunQuery(RunStatus? Status = null, int Limit = int.MaxValue, DateTimeOffset? FinishedBefore = null, int Skip = 0);
