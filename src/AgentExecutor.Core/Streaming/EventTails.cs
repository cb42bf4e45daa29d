using System.Collections.Concurrent;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// The newest events of the runs that this process executes: all events that were published but are not stored yet, and the newest chunks.
/// A new subscriber finds them nowhere else and need not wait for the next commit.
/// </summary>
/// <param name="chunks">The maximum number of chunks per run; the oldest are dropped first.</param>
internal sealed class EventTails(int chunks)
{
    private readonly ConcurrentDictionary<string, EventTail> _tails = new(StringComparer.Ordinal);

    public EventTail Make(long last) => new(last, chunks);

    /// <summary>Registers the tail of an attempt, replacing that of an earlier attempt.</summary>
    public void Open(string threadId, EventTail tail) => _tails[threadId] = tail;

    /// <summary>Removes this tail, unless a newer attempt has replaced it.</summary>
    public void Close(string threadId, EventTail tail) => _tails.TryRemove(KeyValuePair.Create(threadId, tail));

    public EventTail? Find(string threadId) => _tails.GetValueOrDefault(threadId);
}

/// <summary>The newest events of one attempt of a run.</summary>
internal sealed class EventTail(long last, int chunks)
{
    private readonly Lock _gate = new();
    private readonly Queue<EventEnvelope> _chunks = [];
    private readonly Queue<EventEnvelope> _unstored = [];
    private long _stored = last;
    private long _last = last;

    public void Add(EventEnvelope envelope)
    {
        lock (_gate)
        {
            _last = envelope.Sequence;
            if (RunEventJson.IsLogged(envelope.Event))
            {
                _unstored.Enqueue(envelope);
                return;
            }
            if (_chunks.Count == chunks)
            {
                _chunks.Dequeue();
            }
            _chunks.Enqueue(envelope);
        }
    }

    public void Stored(long last)
    {
        lock (_gate)
        {
            _stored = Math.Max(_stored, last);
            while (_unstored.TryPeek(out var oldest) && oldest.Sequence <= last)
            {
                _unstored.Dequeue();
            }
        }
    }

    /// <summary>Returns the events after a number.</summary>
    public TailEvents Read(long after)
    {
        lock (_gate)
        {
            TailEvents tail = new(
                [.. _chunks.Concat(_unstored).Where(envelope => envelope.Sequence > after).OrderBy(envelope => envelope.Sequence)],
                _stored,
                _last
            );
            return tail;
        }
    }
}

/// <summary>The events of a tail.</summary>
/// <param name="Events">The events, in order.</param>
/// <param name="Stored">The log is complete up to this number. After it, <paramref name="Events"/> contains everything that will be
/// stored.</param>
/// <param name="Last">The number of the last published event.</param>
internal readonly record struct TailEvents(IReadOnlyList<EventEnvelope> Events, long Stored, long Last);
