using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;

namespace AgentExecutor.Core.Workers;

/// <summary>A queue in this process's memory, over the threads of an <see cref="InMemoryCheckpointStore"/>. For tests and embedding.</summary>
public sealed class InMemoryRunQueue(InMemoryCheckpointStore store, TimeProvider time) : IRunQueue, IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = []; // all that have not ended, by submission
    private readonly Nudge _nudge = new();

    public ValueTask<Run> SubmitAsync(RunSubmission submission, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var (run, thread) = (submission.Run, store.ThreadOf(submission.Run.ThreadId));
            lock (thread)
            {
                if (thread.Find(run.RunId) is { } known)
                {
                    return ValueTask.FromResult(known);
                }
                thread.Put(run with { Fence = 0 });
            }
            store.Keep(submission.Definition);
            _entries.Add(new Entry(submission, time.GetUtcNow() + submission.Delay));
        }
        _nudge.Give();
        return ValueTask.FromResult(submission.Run);
    }

    public ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken)
    {
        var claimed = ImmutableArray.CreateBuilder<ClaimedRun>();
        lock (_gate)
        {
            _entries.RemoveAll(entry => RunOf(entry) is not { Status: RunStatus.Pending or RunStatus.Running });
            var now = time.GetUtcNow();
            foreach (var entry in _entries.Where(entry => entry.DueAt <= now).OrderBy(entry => entry.Submission.Priority).ThenBy(entry => entry.DueAt).ToList())
            {
                if (claimed.Count < atMost && IsFree(entry) && HasRoom(entry))
                {
                    claimed.Add(Take(entry, lease, now));
                }
            }
        }
        return ValueTask.FromResult(claimed.ToImmutable());
    }

    public ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(Lease lease, ImmutableArray<HeldRun> held, CancellationToken cancellationToken)
    {
        var still = ImmutableHashSet.CreateBuilder<HeldRun>();
        foreach (var run in held)
        {
            var thread = store.ThreadOf(run.ThreadId);
            lock (thread)
            {
                if (thread.Holder == lease.Holder && thread.Newest?.Fence == run.Fence)
                {
                    thread.Renew(lease, time.GetUtcNow());
                    still.Add(run);
                }
            }
        }
        return ValueTask.FromResult(still.ToImmutable());
    }

    public ValueTask<ImmutableArray<RescuedRun>> RescueAsync(TimeSpan afterStart, CancellationToken cancellationToken)
    {
        var rescued = ImmutableArray.CreateBuilder<RescuedRun>();
        lock (_gate)
        {
            foreach (var thread in store.Threads)
            {
                lock (thread)
                {
                    if (thread.Holder is not null && thread.LeaseUntil <= time.GetUtcNow() && thread.Newest is { } run)
                    {
                        var isDue = _entries.Exists(entry => entry.Submission.Run.RunId == run.RunId);
                        thread.Rescue();
                        rescued.Add(new RescuedRun(run.ThreadId, run.RunId, thread.Crashes, isDue));
                    }
                }
            }
        }
        return ValueTask.FromResult(rescued.ToImmutable());
    }

    public ValueTask<int> DropResultsAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow() - olderThan;
        var dropped = 0;
        foreach (var thread in store.Threads)
        {
            lock (thread)
            {
                while (dropped < atMost && thread.Newest?.UpdatedAt < before && thread.Results.Count > 0)
                {
                    thread.Results.Remove(thread.Results.First().Key);
                    dropped++;
                }
            }
        }
        return ValueTask.FromResult(dropped);
    }

    public ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken)
    {
        var thread = store.ThreadOf(threadId);
        lock (thread)
        {
            return ValueTask.FromResult(thread.Find(runId));
        }
    }

    public Task WaitAsync(CancellationToken cancellationToken) => _nudge.WaitAsync(Timeout.InfiniteTimeSpan, time, cancellationToken);

    public void Dispose() => _nudge.Dispose();

    private ClaimedRun Take(Entry entry, Lease lease, DateTimeOffset now)
    {
        var thread = store.ThreadOf(entry.Submission.Run.ThreadId);
        lock (thread)
        {
            var run = thread.Find(entry.Submission.Run.RunId)!;
            var taken = Start.Apply(
                run with { Fence = thread.Newest!.Fence, LastSequence = Math.Max(run.LastSequence, thread.Newest.LastSequence) }, now).Run;
            thread.Put(taken);
            thread.Renew(lease, now);
            return new ClaimedRun(taken, entry.Submission.Definition, entry.Submission.Input, thread.Crashes);
        }
    }

    /// <summary>It waits, nobody has its thread, and none before it waits for the same thread.</summary>
    private bool IsFree(Entry entry) =>
        RunOf(entry)?.Status == RunStatus.Pending
        && store.ThreadOf(entry.Submission.Run.ThreadId).Holder is null
        && _entries.First(other => other.Submission.Run.ThreadId == entry.Submission.Run.ThreadId) == entry;

    private bool HasRoom(Entry entry) => entry.Submission.ConcurrencyKey is not { } key
        || _entries.Count(other => other.Submission.ConcurrencyKey == key && RunOf(other)?.Status == RunStatus.Running) < entry.Submission.ConcurrencyLimit;

    private Run? RunOf(Entry entry)
    {
        var thread = store.ThreadOf(entry.Submission.Run.ThreadId);
        lock (thread)
        {
            return thread.Find(entry.Submission.Run.RunId);
        }
    }

    private sealed record Entry(RunSubmission Submission, DateTimeOffset DueAt);
}
