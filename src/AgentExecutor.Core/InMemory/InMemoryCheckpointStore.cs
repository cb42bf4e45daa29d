using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.InMemory;

/// <summary>
/// Stores threads in this process's memory, as the same bytes that other stores write. For tests, embedding and benchmarks.
/// </summary>
public sealed class InMemoryCheckpointStore(TimeProvider? time = null)
    : ICheckpointStore,
        IRunStore,
        IRetentionStore,
        IEventLog,
        IInterruptStore
{
    private readonly SteadyClock _clock = new(time ?? TimeProvider.System);
    private readonly ConcurrentDictionary<string, InMemoryThread> _threads = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StoredDefinition> _definitions = new(StringComparer.Ordinal);

    // Greater than any fencing token of a deleted thread.
    private long _fenceAfterDeleted;

    /// <summary>The budgets that the threads of this store share.</summary>
    public InMemoryBudgetLedger Budgets { get; } = new();

    public ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Use(
            commit.ThreadId,
            thread =>
            {
                thread.Commit(commit, Now);
                return true;
            }
        );
        if (commit.Definition is { } definition)
        {
            Keep(definition);
        }
        Budgets.Settle(commit.ThreadId, commit.Settlements, commit.ReleasesReservations);
        return ValueTask.CompletedTask;
    }

    public ValueTask<LoadedCheckpoint?> LoadAsync(string threadId, string ns, string? checkpointId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(threadId, thread => thread.Load(ns, checkpointId)));

    public async IAsyncEnumerable<StoredCheckpoint> ListAsync(
        CheckpointQuery query,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var checkpoint in Read(query.ThreadId, thread => thread.List(query).ToList()) ?? [])
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return checkpoint;
        }
        await ValueTask.CompletedTask;
    }

    public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(threadId, thread => thread.ToolCalls.GetValueOrDefault(taskId)));

    public ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken)
    {
        var copy =
            Read(threadId, thread => thread.CopyUpTo(checkpointId, toThreadId))
            ?? throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint '{checkpointId}'");
        return _threads.TryAdd(toThreadId, copy)
            ? ValueTask.CompletedTask
            : throw new FaultException(FaultCodes.ThreadExists, $"the thread '{toThreadId}' already exists", "use another thread id");
    }

    public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_threads.TryGetValue(threadId, out var thread))
        {
            lock (thread)
            {
                if (thread.IsInUse(Now))
                {
                    throw new FaultException(
                        FaultCodes.ThreadBusy,
                        $"the thread '{threadId}' is in use: a worker holds it, or a run waits for it",
                        "delete the thread after its runs have ended"
                    );
                }
                KeepFence(thread.Newest?.Fence ?? 0);
                thread.Delete();
                _threads.TryRemove(threadId, out _);
                Budgets.Settle(threadId, [], releasesOthers: true);
            }
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        return ValueTask.FromResult(Read(threadId, thread => thread.Prune(keep)));
    }

    public ValueTask<Run?> FindAsync(string threadId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(threadId, thread => thread.Newest));

    public ValueTask<long> FindFenceAsync(string threadId, CancellationToken cancellationToken) => ValueTask.FromResult(FenceOf(threadId));

    public async IAsyncEnumerable<Run> ListAsync(RunQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var runs = _threads
            .Keys.Select(id => Read(id, thread => thread.Newest))
            .OfType<Run>()
            .Where(run => query.Status is null || run.Status == query.Status)
            .Where(run => query.FinishedBefore is null || IsFinishedBefore(run, query.FinishedBefore.Value));
        var ordered = runs.OrderByDescending(run => query.FinishedBefore is null ? run.CreatedAt : run.UpdatedAt)
            .ThenByDescending(run => run.ThreadId, StringComparer.Ordinal);
        foreach (var run in ordered.Skip(query.Skip).Take(query.Limit).ToImmutableArray())
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return run;
        }
        await ValueTask.CompletedTask;
    }

    public ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_definitions.GetValueOrDefault(hash));

    public ValueTask<LogPage?> ReadAsync(string threadId, long after, int limit, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            Read(
                threadId,
                thread =>
                {
                    var (commits, hasMore) = thread.Log.Read(after, limit);
                    return thread.Position is { } position ? new LogPage([.. commits], position, hasMore) : null;
                }
            )
        );

    public ValueTask<ImmutableArray<LogPosition>> ReadPositionsAsync(
        ImmutableArray<string> threadIds,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult<ImmutableArray<LogPosition>>([
            .. threadIds.Distinct().Select(id => Read(id, thread => thread.Position)).OfType<LogPosition>(),
        ]);

    public ValueTask<ImmutableArray<StoredChange>> ReadChangesAsync(
        string threadId,
        ImmutableArray<CheckpointKey> checkpoints,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult<ImmutableArray<StoredChange>>([
            .. Read(threadId, thread => checkpoints.Distinct().Select(thread.ChangeAt).OfType<StoredChange>().ToList()) ?? [],
        ]);

    public ValueTask<ImmutableArray<StoredInterrupt>> FindAsync(
        string threadId,
        ImmutableArray<string> ids,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult(Read(threadId, thread => (ImmutableArray<StoredInterrupt>?)thread.Interrupts.Find(ids)) ?? []);

    public ValueTask<ImmutableArray<StoredInterrupt>> RecordAsync(
        ImmutableArray<StoredInterrupt> answered,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult<ImmutableArray<StoredInterrupt>>([
            .. answered.Select(it => Use(it.ThreadId, thread => thread.Interrupts.Record(it, Now))),
        ]);

    public ValueTask<ImmutableArray<StoredInterrupt>> TakeDueAsync(int atMost, TimeSpan hold, CancellationToken cancellationToken)
    {
        var taken = ImmutableArray.CreateBuilder<StoredInterrupt>();
        foreach (var id in _threads.Keys)
        {
            taken.AddRange(Read(id, thread => thread.Interrupts.TakeDue(Now, hold, atMost - taken.Count).ToList()) ?? []);
        }
        return ValueTask.FromResult(taken.ToImmutable());
    }

    public ValueTask<bool> EscalateAsync(StoredInterrupt interrupt, StoredNotice notice, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Use(interrupt.ThreadId, thread => thread.Interrupts.Escalate(interrupt, notice, Now)));

    public ValueTask CloseAsync(ImmutableArray<StoredInterrupt> interrupts, CancellationToken cancellationToken)
    {
        foreach (var interrupt in interrupts)
        {
            Read(
                interrupt.ThreadId,
                thread =>
                {
                    thread.Interrupts.Close(interrupt.Id);
                    return true;
                }
            );
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>Always succeeds, because only this process uses the store.</summary>
    public ValueTask<bool> TryLeadAsync(Lease lease, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    /// <summary>Always empty, because a thread is deleted while its lock is held.</summary>
    public ValueTask<ImmutableArray<string>> UnfinishedDeletionsAsync(string after, int atMost, CancellationToken cancellationToken) =>
        ValueTask.FromResult<ImmutableArray<string>>([]);

    public ValueTask<int> DropDefinitionsAsync(int atMost, CancellationToken cancellationToken)
    {
        var used = _threads.Keys.SelectMany(id => Read(id, thread => thread.Definitions) ?? []).ToHashSet(StringComparer.Ordinal);
        return ValueTask.FromResult(
            _definitions.Keys.Where(hash => !used.Contains(hash)).Take(atMost).Count(hash => _definitions.TryRemove(hash, out _))
        );
    }

    internal void Keep(StoredDefinition definition) => _definitions.TryAdd(definition.Hash, definition);

    /// <summary>Returns the fencing token that a new run of the thread must exceed.</summary>
    internal long FenceOf(string threadId) =>
        Read(threadId, static thread => thread.Newest)?.Fence ?? Interlocked.Read(ref _fenceAfterDeleted);

    /// <summary>The time of the one clock that this store uses for all decisions.</summary>
    internal DateTimeOffset Now => _clock.UtcNow;

    internal IEnumerable<InMemoryThread> Threads => _threads.Values;

    /// <summary>Returns the thread, creating it if needed. The caller must lock it.</summary>
    internal InMemoryThread ThreadOf(string threadId) =>
        _threads.GetOrAdd(threadId, static (id, queue) => new InMemoryThread(id, queue), Waiting);

    /// <summary>The runs that wait for workers.</summary>
    internal WaitingRuns Waiting { get; } = new();

    /// <summary>
    /// Calls <paramref name="use"/> with the thread while its lock is held. The thread is created if it does not exist or was deleted in
    /// the meantime.
    /// </summary>
    internal T Use<T>(string threadId, Func<InMemoryThread, T> use)
    {
        while (true)
        {
            var thread = ThreadOf(threadId);
            lock (thread)
            {
                if (!thread.IsDeleted)
                {
                    return use(thread);
                }
            }
        }
    }

    private bool IsFinishedBefore(Run run, DateTimeOffset time) =>
        run.IsFinished && run.UpdatedAt < time && !Read(run.ThreadId, thread => thread.IsInUse(Now));

    private void KeepFence(long fence)
    {
        var known = Interlocked.Read(ref _fenceAfterDeleted);
        while (known <= fence)
        {
            known = Interlocked.CompareExchange(ref _fenceAfterDeleted, fence + 1, known);
        }
    }

    private T? Read<T>(string threadId, Func<InMemoryThread, T?> read)
    {
        if (!_threads.TryGetValue(threadId, out var thread))
        {
            return default;
        }
        lock (thread)
        {
            return read(thread);
        }
    }
}
