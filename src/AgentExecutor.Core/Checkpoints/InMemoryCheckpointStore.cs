using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>Keeps threads in this process's memory, as the same bytes that other stores write. For tests, embedding and benchmarks.</summary>
public sealed class InMemoryCheckpointStore(TimeProvider? time = null) : ICheckpointStore, IRunStore, IEventLog
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ConcurrentDictionary<string, InMemoryThread> _threads = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StoredDefinition> _definitions = new(StringComparer.Ordinal);

    /// <summary>The budgets that its threads share.</summary>
    public InMemoryBudgetLedger Budgets { get; } = new();

    public ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var thread = ThreadOf(commit.ThreadId);
        lock (thread)
        {
            thread.Commit(commit, _time.GetUtcNow());
        }
        if (commit.Definition is { } definition)
        {
            Keep(definition);
        }
        Budgets.Settle(commit.ThreadId, commit.Settlements, commit.ReleasesReservations);
        return ValueTask.CompletedTask;
    }

    public ValueTask<LoadedCheckpoint?> LoadAsync(string threadId, string ns, string? checkpointId, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(threadId, thread => thread.Load(ns, checkpointId)));

    public async IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
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
        var copy = Read(threadId, thread => thread.CopyUpTo(checkpointId, toThreadId))
            ?? throw new FaultException(FaultCodes.UnknownCheckpoint, $"the thread '{threadId}' has no checkpoint '{checkpointId}'");
        return _threads.TryAdd(toThreadId, copy) ? ValueTask.CompletedTask
            : throw new FaultException(FaultCodes.ThreadExists, $"there is a thread '{toThreadId}' already", "name another");
    }

    public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken)
    {
        if (_threads.TryGetValue(threadId, out var thread))
        {
            lock (thread)
            {
                if (thread.IsInUse(_time.GetUtcNow()))
                {
                    throw new FaultException(FaultCodes.ThreadBusy, $"the thread '{threadId}' is in use: a worker has it, or a run waits for it", "delete it when its runs have ended");
                }
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

    public async IAsyncEnumerable<Run> ListAsync(RunQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var runs = _threads.Keys.Select(id => Read(id, thread => thread.Newest)).OfType<Run>()
            .Where(run => query.Status is null || run.Status == query.Status)
            .Where(run => query.FinishedBefore is null || (run.IsFinished && run.UpdatedAt < query.FinishedBefore && !Read(run.ThreadId, thread => thread.IsInUse(_time.GetUtcNow()))));
        foreach (var run in runs.OrderByDescending(run => run.UpdatedAt).Skip(query.Skip).Take(query.Limit).ToImmutableArray())
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return run;
        }
        await ValueTask.CompletedTask;
    }

    public ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_definitions.GetValueOrDefault(hash));

    public ValueTask<LogPage?> ReadAsync(string threadId, long after, int limit, CancellationToken cancellationToken) => ValueTask.FromResult(Read(threadId, thread =>
    {
        var (commits, hasMore) = thread.Log.Read(after, limit);
        return thread.Position is { } position ? new LogPage([.. commits], position, hasMore) : null;
    }));

    public ValueTask<ImmutableArray<LogPosition>> LookAsync(ImmutableArray<string> threadIds, CancellationToken cancellationToken) =>
        ValueTask.FromResult<ImmutableArray<LogPosition>>([.. threadIds.Distinct().Select(id => Read(id, thread => thread.Position)).OfType<LogPosition>()]);

    public ValueTask<ImmutableArray<StoredChange>> ReadChangesAsync(
        string threadId, ImmutableArray<CheckpointKey> checkpoints, CancellationToken cancellationToken) => ValueTask.FromResult<ImmutableArray<StoredChange>>(
            [.. Read(threadId, thread => checkpoints.Distinct().Select(thread.ChangeAt).OfType<StoredChange>().ToList()) ?? []]);

    internal void Keep(StoredDefinition definition) => _definitions.TryAdd(definition.Hash, definition);

    internal IEnumerable<InMemoryThread> Threads => _threads.Values;

    /// <summary>The thread, made where it is missing; whoever uses it locks it.</summary>
    internal InMemoryThread ThreadOf(string threadId) => _threads.GetOrAdd(threadId, static _ => new InMemoryThread());

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
