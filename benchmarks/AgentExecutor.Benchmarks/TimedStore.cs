using System.Diagnostics;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Benchmarks;

/// <summary>Records the milliseconds from the return of one commit to that of the next, for one run.</summary>
internal sealed class TimedStore(ICheckpointStore inner, List<double> times) : ICheckpointStore
{
    private long _last;

    public async ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
    {
        await inner.CommitAsync(commit, cancellationToken);
        var now = Stopwatch.GetTimestamp();
        if (_last != 0)
        {
            times.Add(Stopwatch.GetElapsedTime(_last, now).TotalMilliseconds);
        }
        _last = now;
    }

    public ValueTask<LoadedCheckpoint?> LoadAsync(string threadId, string ns, string? checkpointId, CancellationToken cancellationToken) =>
        inner.LoadAsync(threadId, ns, checkpointId, cancellationToken);

    public IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken) =>
        inner.ListAsync(query, cancellationToken);

    public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
        inner.FindToolCallAsync(threadId, taskId, cancellationToken);

    public ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken) =>
        inner.CopyThreadAsync(threadId, checkpointId, toThreadId, cancellationToken);

    public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) =>
        inner.DeleteThreadAsync(threadId, cancellationToken);

    public ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken) =>
        inner.PruneAsync(threadId, keep, cancellationToken);
}
