using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.Workers;

/// <summary>The outcomes of runs in an <see cref="InMemoryCheckpointStore"/>. For tests and embedding.</summary>
public sealed class InMemoryOutbox(InMemoryCheckpointStore store, TimeProvider time) : IOutbox
{
    public async ValueTask<int> RelayAsync(int atMost, Func<ImmutableArray<Outcome>, CancellationToken, Task> announce, CancellationToken cancellationToken)
    {
        var taken = Take(atMost);
        var isAnnounced = false;
        try
        {
            if (taken.Count > 0)
            {
                await announce([.. taken.Select(Read)], cancellationToken);
            }
            isAnnounced = true;
        }
        finally
        {
            foreach (var outcome in taken)
            {
                (outcome.IsAnnounced, outcome.IsTaken) = (isAnnounced, false);
            }
        }
        return taken.Count;
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

    public ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow() - olderThan;
        var dropped = 0;
        foreach (var thread in store.Threads)
        {
            lock (thread)
            {
                foreach (var (sequence, _) in thread.Outcomes.Where(it => it.Value.IsAnnounced && it.Value.CreatedAt < before).Take(atMost - dropped).ToList())
                {
                    thread.Outcomes.Remove(sequence);
                    dropped++;
                }
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
                foreach (var outcome in thread.Outcomes.Values.Where(it => !it.IsAnnounced && !it.IsTaken).Take(atMost - taken.Count))
                {
                    outcome.IsTaken = true;
                    taken.Add(outcome);
                }
            }
        }
        return [.. taken.OrderBy(it => it.CreatedAt)];
    }

    private Outcome Read(InMemoryOutcome it) => new(
        new RunKey(it.Run.ThreadId, it.Run.RunId), it.Result.Sequence, it.Run.Status, it.Result.Json, it.TraceParent, it.CreatedAt,
        time.GetUtcNow() - it.CreatedAt, it.IsAnnounced);
}
