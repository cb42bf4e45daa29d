using System.Collections.Immutable;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Core.InMemory;

/// <summary>The outcomes of the runs in an <see cref="InMemoryCheckpointStore"/>, for tests and embedding.</summary>
public sealed class InMemoryOutbox(InMemoryCheckpointStore store) : IOutbox
{
    public async ValueTask<int> RelayAsync(
        int atMost,
        Func<ImmutableArray<Outcome>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    )
    {
        var taken = Take(atMost);
        var isPublished = false;
        try
        {
            if (taken.Count > 0)
            {
                await publish([.. taken.Select(Read)], cancellationToken);
            }
            isPublished = true;
        }
        finally
        {
            foreach (var outcome in taken)
            {
                (outcome.IsPublished, outcome.IsTaken) = (isPublished, false);
            }
        }
        return taken.Count;
    }

    public async ValueTask<int> RelayNoticesAsync(
        int atMost,
        Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
        CancellationToken cancellationToken
    )
    {
        var taken = TakeNotices(atMost);
        var isPublished = false;
        try
        {
            if (taken.Count > 0)
            {
                await publish([.. taken.Select(it => it.Notice)], cancellationToken);
            }
            isPublished = true;
        }
        finally
        {
            foreach (var (_, stored) in taken)
            {
                (stored.IsPublished, stored.IsTaken) = (isPublished, false);
            }
        }
        return taken.Count;
    }

    private List<(Notice Notice, InMemoryNotice Stored)> TakeNotices(int atMost)
    {
        var taken = new List<(Notice, InMemoryNotice)>();
        foreach (var thread in store.Threads)
        {
            lock (thread)
            {
                foreach (var it in thread.Interrupts.Notices.Where(it => !it.IsPublished && !it.IsTaken).Take(atMost - taken.Count))
                {
                    it.IsTaken = true;
                    var trace = thread.FindSubmission(it.Notice.RunId)?.TraceParent ?? "";
                    var notice = new Notice(
                        new RunKey(thread.Id, it.Notice.RunId),
                        it.Notice.Id,
                        it.Notice.Type,
                        it.Notice.Subject,
                        it.Notice.Json,
                        trace,
                        it.CreatedAt,
                        store.Now - it.CreatedAt
                    );
                    taken.Add((notice, it));
                }
            }
        }
        return taken;
    }

    public ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken)
    {
        var found = ImmutableArray.CreateBuilder<Outcome>();
        foreach (var run in runs)
        {
            var thread = store.ThreadOf(run.ThreadId);
            lock (thread)
            {
                if (thread.Outcomes.Values.LastOrDefault(outcome => outcome.Run.RunId == run.RunId) is { } outcome)
                {
                    found.Add(Read(outcome));
                }
            }
        }
        return ValueTask.FromResult(found.ToImmutable());
    }

    public ValueTask<ImmutableArray<RunOutcomeStatus>> FindStatusesAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken)
    {
        var statuses = ImmutableArray.CreateBuilder<RunOutcomeStatus>();
        foreach (var key in runs)
        {
            var thread = store.ThreadOf(key.ThreadId);
            lock (thread)
            {
                if (thread.Find(key.RunId) is { } run)
                {
                    var newest = thread.Outcomes.Values.LastOrDefault(outcome => outcome.Run.RunId == key.RunId);
                    statuses.Add(new RunOutcomeStatus(key, run.Status, newest?.Result.Sequence ?? 0, newest?.IsPublished ?? false));
                }
            }
        }
        return ValueTask.FromResult(statuses.ToImmutable());
    }

    public ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken)
    {
        var before = store.Now - olderThan;
        var dropped = 0;
        foreach (var thread in store.Threads)
        {
            lock (thread)
            {
                foreach (
                    var (sequence, _) in thread
                        .Outcomes.Where(it => it.Value.IsPublished && it.Value.CreatedAt < before)
                        .Take(atMost - dropped)
                        .ToList()
                )
                {
                    thread.Outcomes.Remove(sequence);
                    dropped++;
                }
                thread.Interrupts.Notices.RemoveAll(it => it.IsPublished && it.CreatedAt < before);
            }
        }
        return ValueTask.FromResult(dropped);
    }

    private List<InMemoryOutcome> Take(int atMost)
    {
        var taken = new List<InMemoryOutcome>();
        foreach (var thread in store.Threads)
        {
            lock (thread)
            {
                foreach (var outcome in thread.Outcomes.Values.Where(it => !it.IsPublished && !it.IsTaken).Take(atMost - taken.Count))
                {
                    outcome.IsTaken = true;
                    taken.Add(outcome);
                }
            }
        }
        return [.. taken.OrderBy(it => it.CreatedAt)];
    }

    private Outcome Read(InMemoryOutcome it) =>
        new(
            new RunKey(it.Run.ThreadId, it.Run.RunId),
            it.Result.Sequence,
            it.Run.Status,
            it.Result.Json,
            it.TraceParent,
            it.CreatedAt,
            store.Now - it.CreatedAt,
            it.IsPublished
        );
}
