using System.Collections.Concurrent;

namespace AgentExecutor.Core.Events;

/// <summary>
/// The newest events of the runs that this process runs, chunks and what is not yet stored among them: what a watcher who comes now can find nowhere else. Kept as long
/// as the run is here.
/// </summary>
/// <param name="longest">So many a run at most; the oldest go first.</param>
internal sealed class EventTails(int longest)
{
    private readonly ConcurrentDictionary<string, Queue<EventEnvelope>> _tails = new(StringComparer.Ordinal);

    public void Add(EventEnvelope envelope)
    {
        var tail = _tails.GetOrAdd(envelope.ThreadId, static _ => new Queue<EventEnvelope>());
        lock (tail)
        {
            if (tail.Count == longest)
            {
                tail.Dequeue();
            }
            tail.Enqueue(envelope);
        }
    }

    public void Remove(string threadId) => _tails.TryRemove(threadId, out _);

    /// <summary>The thread's events with numbers above the one and up to the other, in order.</summary>
    public List<EventEnvelope> Read(string threadId, long after, long upTo)
    {
        if (!_tails.TryGetValue(threadId, out var tail))
        {
            return [];
        }
        lock (tail)
        {
            return [.. tail.Where(envelope => envelope.Sequence > after && envelope.Sequence <= upTo)];
        }
    }
}
