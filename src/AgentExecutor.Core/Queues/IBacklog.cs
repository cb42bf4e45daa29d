namespace AgentExecutor.Core.Queues;

/// <summary>
/// Measures how much work waits in a store. A queue that can measure its backlog implements this interface too. The conformance tests
/// specify it.
/// </summary>
public interface IBacklog
{
    /// <summary>Measures the backlog of the whole store, so every process gets the same answer. Ended runs are never read.</summary>
    ValueTask<Backlog> MeasureAsync(CancellationToken cancellationToken);
}

/// <summary>The work that waits in a store.</summary>
/// <param name="RunnableJobs">
/// Runs that only wait for a worker: they are due, no worker holds their thread, no earlier run of the thread waits, and the limit of their
/// concurrency key is not reached.
/// </param>
/// <param name="OldestWait">How long ago the oldest of these runs became due. Zero if there are none.</param>
/// <param name="OutboxLag">How long ago the oldest unpublished outcome was stored. Zero if all outcomes are published.</param>
public readonly record struct Backlog(long RunnableJobs, TimeSpan OldestWait, TimeSpan OutboxLag);
