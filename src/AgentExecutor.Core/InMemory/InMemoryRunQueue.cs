using System.Collections.Immutable;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.InMemory;

/// <summary>
/// A run queue in this process's memory, over the threads of an <see cref="InMemoryCheckpointStore"/>, for tests and embedding.
/// </summary>
public sealed class InMemoryRunQueue(InMemoryCheckpointStore store, TimeProvider time) : IRunQueue, IBacklog, IDisposable
{
    private readonly Lock _gate = new();
    private readonly WakeSignal _wakeSignal = new();

    public ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(
        ImmutableArray<RunSubmission> submissions,
        Lease? claimLease,
        CancellationToken cancellationToken
    )
    {
        var submitted = ImmutableArray.CreateBuilder<SubmittedRun>(submissions.Length);
        lock (_gate)
        {
            foreach (var submission in submissions)
            {
                submitted.Add(Submit(submission, claimLease));
            }
        }
        _wakeSignal.Set();
        return ValueTask.FromResult(submitted.MoveToImmutable());
    }

    public ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken)
    {
        var claimed = ImmutableArray.CreateBuilder<ClaimedRun>();
        lock (_gate)
        {
            var now = store.Now;
            foreach (var ready in store.Waiting.FindReady(now, atMost))
            {
                var thread = store.ThreadOf(ready.Submission.Run.ThreadId);
                lock (thread)
                {
                    if (thread.Holder is null && thread.Find(ready.Submission.Run.RunId) is { Status: RunStatus.Pending } run)
                    {
                        claimed.Add(Take(thread, run, ready.Submission, lease, now));
                    }
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
                    thread.Renew(lease, store.Now);
                    still.Add(run);
                }
            }
        }
        return ValueTask.FromResult(still.ToImmutable());
    }

    public ValueTask<ImmutableArray<RescuedRun>> RescueAsync(
        ImmutableArray<HeldRun> held,
        TimeSpan afterStart,
        CancellationToken cancellationToken
    )
    {
        var rescued = ImmutableArray.CreateBuilder<RescuedRun>();
        lock (_gate)
        {
            foreach (var thread in store.Threads)
            {
                lock (thread)
                {
                    if (
                        thread.Holder is not null
                        && thread.LeaseUntil <= store.Now
                        && thread.Newest is { } run
                        && !held.Contains(new HeldRun(run.ThreadId, run.Fence))
                    )
                    {
                        if (thread.CancelRequestedRun == run.RunId)
                        {
                            rescued.Add(new RescuedRun(run.ThreadId, run.RunId, thread.Crashes, false) { IsToCancel = true });
                            continue;
                        }
                        thread.Rescue();
                        rescued.Add(new RescuedRun(run.ThreadId, run.RunId, thread.Crashes, thread.FindSubmission(run.RunId) is not null));
                    }
                }
            }
        }
        return ValueTask.FromResult(rescued.ToImmutable());
    }

    public ValueTask UncountCrashAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken)
    {
        foreach (var run in lost)
        {
            var thread = store.ThreadOf(run.ThreadId);
            lock (thread)
            {
                thread.UncountCrash(run.Fence);
            }
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> RequestCancelAsync(string threadId, string runId, CancellationToken cancellationToken)
    {
        var thread = store.ThreadOf(threadId);
        lock (thread)
        {
            var isHeld = thread is { Holder: not null, Newest.Status: RunStatus.Running } && thread.Newest.RunId == runId;
            thread.CancelRequestedRun = isHeld ? runId : thread.CancelRequestedRun;
            return ValueTask.FromResult(isHeld);
        }
    }

    public ValueTask<ImmutableArray<HeldRun>> FindCancelRequestsAsync(Lease lease, CancellationToken cancellationToken)
    {
        var asked = ImmutableArray.CreateBuilder<HeldRun>();
        foreach (var thread in store.Threads)
        {
            lock (thread)
            {
                if (thread.Holder == lease.Holder && thread.Newest is { } run && thread.CancelRequestedRun == run.RunId)
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

    public ValueTask<Backlog> MeasureAsync(CancellationToken cancellationToken)
    {
        var now = store.Now;
        var (count, oldest) = store.Waiting.Measure(now);
        var oldestOutcome = store.Threads.Select(OldestOutcome).Min() ?? now;
        return ValueTask.FromResult(new Backlog(count, now - oldest, now - oldestOutcome));
    }

    public Task WaitAsync(CancellationToken cancellationToken) => _wakeSignal.WaitAsync(Timeout.InfiniteTimeSpan, time, cancellationToken);

    public void Dispose() => _wakeSignal.Dispose();

    private static DateTimeOffset? OldestOutcome(InMemoryThread thread)
    {
        lock (thread)
        {
            return thread
                .Outcomes.Values.Where(static outcome => !outcome.IsPublished)
                .Min(static outcome => (DateTimeOffset?)outcome.CreatedAt);
        }
    }

    private SubmittedRun Submit(RunSubmission submission, Lease? claimLease)
    {
        var now = store.Now;
        return store.Use(
            submission.Run.ThreadId,
            thread =>
            {
                var run = submission.Run with { Fence = thread.Newest is null ? store.FenceOf(submission.Run.ThreadId) : 0 };
                if (thread.Find(run.RunId) is { } known)
                {
                    return new SubmittedRun(known, false, thread.FindSubmission(run.RunId)?.RequestHash ?? "");
                }
                var mayTake =
                    claimLease is not null
                    && thread.Newest is null
                    && submission.Delay == TimeSpan.Zero
                    && submission.ConcurrencyKey is null;
                thread.Submit(run, store.Waiting.Number(submission, now + submission.Delay));
                store.Keep(submission.Definition);
                var claimed = mayTake ? Take(thread, run, submission, claimLease!, now) with { IsNewThread = true } : null;
                return new SubmittedRun(claimed?.Run ?? run, true, submission.RequestHash, claimed);
            }
        );
    }

    /// <summary>Claims the run. The caller holds the lock of the thread.</summary>
    private static ClaimedRun Take(InMemoryThread thread, Run run, RunSubmission submission, Lease lease, DateTimeOffset now)
    {
        var newest = thread.Newest!;
        var usage = run.Attempt == 0 && newest.RunId != run.RunId ? newest.Usage.ForNextRun() : run.Usage;
        var taken = Start
            .Apply(run with { Usage = usage, Fence = newest.Fence, LastSequence = Math.Max(run.LastSequence, newest.LastSequence) }, now)
            .Run;
        thread.Take(taken, lease, now);
        return new ClaimedRun(taken, submission.Definition, submission.Input, thread.Crashes) { TraceParent = submission.TraceParent };
    }
}
