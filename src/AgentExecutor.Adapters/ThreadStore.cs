using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Adapters;

/// <summary>The parts of a store for reading threads.</summary>
/// <param name="Checkpoints">Their checkpoints.</param>
/// <param name="Runs">Their runs.</param>
/// <param name="Outbox">The outcomes of submitted runs, or null if the store has no queue, and for watchers.</param>
public sealed record ThreadReads(ICheckpointStore Checkpoints, IRunStore Runs, IOutbox? Outbox);

/// <summary>The parts of an open store.</summary>
/// <param name="Checkpoints">The checkpoints of its threads.</param>
/// <param name="Runs">The runs of its threads.</param>
/// <param name="Log">The event log.</param>
/// <param name="Owner">Closes the store when it is disposed.</param>
public sealed record ThreadStore(ICheckpointStore Checkpoints, IRunStore Runs, IEventLog Log, IAsyncDisposable Owner) : IAsyncDisposable
{
    /// <summary>The same threads for watchers, whose reads no other component waits for.</summary>
    public ThreadReads Watched { get; init; } = new(Checkpoints, Runs, null);

    /// <summary>The same threads for callers that read states and histories.</summary>
    public ThreadReads Read
    {
        get => field ?? new ThreadReads(Checkpoints, Runs, Outbox);
        init;
    }

    /// <summary>The maintenance that the janitor needs.</summary>
    public required IRetentionStore Retention { get; init; }

    /// <summary>The budgets that its threads share.</summary>
    public required IBudgetLedger Budgets { get; init; }

    /// <summary>The questions and external tool calls for which its runs wait.</summary>
    public required IInterruptStore Interrupts { get; init; }

    /// <summary>
    /// Checks whether the store can be read and written, and throws the reason if it cannot. It writes only after a write has failed.
    /// </summary>
    public Func<CancellationToken, Task> Probe { get; init; } = static _ => Task.CompletedTask;

    /// <summary>The queue of runs for workers, with leases, or null if only one process uses the store.</summary>
    public IRunQueue? Queue { get; init; }

    /// <summary>The outcomes of submitted runs, or null if there is no queue.</summary>
    public IOutbox? Outbox { get; init; }

    public ValueTask DisposeAsync() => Owner.DisposeAsync();
}
