using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Runs.Transitions;

namespace AgentExecutor.Core.Workers;

/// <summary>A queue in this process's memory, over the threads of an <see cref="InMemoryCheckpointStore"/>. For tests and embedding.</summary>
public sealed class InMemoryRunQueue(InMemoryCheckpointStore store, TimeProvider time) : IRunQueue, IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = []; // all that may yet be taken, by submission: one that failed or asks a person may go on
    private readonly Nudge _nudge = new();

    public ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(ImmutableArray<RunSubmission> submissions, Lease? takeFor, CancellationToken cancellationToken)
    {
        var submitted = ImmutableArray.CreateBuilder<SubmittedRun>(submissions.Length);
        lock (_gate)
        {
            foreach (var submission in submissions)
            {
                submitted.Add(Submit(submission, takeFor));
            }
        }
        _nudge.Give();
        return ValueTask.FromResult(submitted.MoveToImmutable());
    }

    public ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken)
    {
        var claimed = ImmutableArray.CreateBuilder<ClaimedRun>();
        lock (_gate)
        {
            _entries.RemoveAll(entry => RunOf(entry) is null or { Status: RunStatus.Completed or RunStatus.Cancelled });
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

    public ValueTask AcquitAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken)
    {
        foreach (var run in lost)
        {
            var thread = store.ThreadOf(run.ThreadId);
            lock (thread)
            {
                thread.Acquit(run.Fence);
            }
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> AskToCancelAsync(string threadId, CancellationToken cancellationToken)
    {
        var thread = store.ThreadOf(threadId);
        lock (thread)
        {
            var isHeld = thread.Holder is not null;
            thread.CancelAsked = isHeld ? thread.Newest?.RunId : thread.CancelAsked;
            return ValueTask.FromResult(isHeld);
        }
    }

    public ValueTask<ImmutableArray<HeldRun>> CancelledAsync(Lease lease, CancellationToken cancellationToken)
    {
        var asked = ImmutableArray.CreateBuilder<HeldRun>();
        foreach (var thread in store.Threads)
        {
            lock (thread)
            {
                if (thread.Holder == lease.Holder && thread.Newest is { } run && thread.CancelAsked == run.RunId)
                {
                    asked.Add(new HeldRun(run.ThreadId, run.Fence));
                }
            }
        }
        return ValueTask.FromResult(asked.ToImmutable());
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

    private SubmittedRun Submit(RunSubmission submission, Lease? takeFor)
    {
        var (run, now) = (submission.Run with { Fence = 0 }, time.GetUtcNow());
        var thread = store.ThreadOf(run.ThreadId);
        lock (thread)
        {
            if (thread.Find(run.RunId) is { } known)
            {
                return new SubmittedRun(known, false, thread.Submissions.GetValueOrDefault(run.RunId)?.RequestHash ?? "");
            }
            var mayTake = takeFor is not null && thread.Newest is null && submission.Delay == TimeSpan.Zero && submission.ConcurrencyKey is null;
            thread.Put(run);
            thread.Submissions[run.RunId] = submission;
            store.Keep(submission.Definition);
            var entry = new Entry(submission, now + submission.Delay);
            _entries.Add(entry);
            var claimed = mayTake ? Take(entry, takeFor!, now) with { IsNewThread = true } : null;
            return new SubmittedRun(claimed?.Run ?? run, true, submission.RequestHash, claimed);
        }
    }

    private ClaimedRun Take(Entry entry, Lease lease, DateTimeOffset now)
    {
        var thread = store.ThreadOf(entry.Submission.Run.ThreadId);
        lock (thread)
        {
            var run = thread.Find(entry.Submission.Run.RunId)!;
            var usage = run.Attempt == 0 && thread.Newest is { } before && before.RunId != run.RunId ? before.Usage.ForNextRun() : run.Usage;
            var taken = Start.Apply(
                run with { Usage = usage, Fence = thread.Newest!.Fence, LastSequence = Math.Max(run.LastSequence, thread.Newest.LastSequence) }, now).Run;
            thread.Put(taken);
            thread.Renew(lease, now);
            return new ClaimedRun(taken, entry.Submission.Definition, entry.Submission.Input, thread.Crashes) { TraceParent = entry.Submission.TraceParent };
        }
    }

    /// <summary>It waits, nobody has its thread, and none before it waits for the same thread.</summary>
    private bool IsFree(Entry entry) =>
        RunOf(entry)?.Status == RunStatus.Pending
        && store.ThreadOf(entry.Submission.Run.ThreadId).Holder is null
        && _entries.First(other =>
            other.Submission.Run.ThreadId == entry.Submission.Run.ThreadId && RunOf(other)?.Status is RunStatus.Pending or RunStatus.Running) == entry;

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
