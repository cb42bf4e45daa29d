using System.Collections.Concurrent;

namespace AgentExecutor.Core.Events;

/// <summary>
/// The newest events of the runs that this process runs: all that are told and not stored yet, and the newest chunks. A watcher who comes now finds them nowhere else, and
/// need not wait for the next commit.
/// </summary>
/// <param name="chunks">So many chunks a run; the oldest go first.</param>
internal sealed class EventTails(int chunks)
{
    private readonly ConcurrentDictionary<string, EventTail> _tails = new(StringComparer.Ordinal);

    public EventTail Make(long last) => new(last, chunks);

    /// <summary>The newest attempt's takes the place of an older one's.</summary>
    public void Open(string threadId, EventTail tail) => _tails[threadId] = tail;

    /// <summary>The newest attempt's tail stays, where this is that of an older one.</summary>
    public void Close(string threadId, EventTail tail) => _tails.TryRemove(KeyValuePair.Create(threadId, tail));

    public EventTail? Find(string threadId) => _tails.GetValueOrDefault(threadId);
}

/// <summary>The tail of one attempt of a run.</summary>
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

    /// <summary>What it has after a number.</summary>
    public TailEvents Read(long after)
    {
        lock (_gate)
        {
            return new TailEvents([.. _chunks.Concat(_unstored).Where(envelope => envelope.Sequence > after).OrderBy(envelope => envelope.Sequence)], _stored, _last);
        }
    }
}

/// <summary>What a tail has.</summary>
/// <param name="Events">In order.</param>
/// <param name="Stored">The log has what is to be stored up to this number; beyond it, nothing of that is missing here.</param>
/// <param name="Last">The last number that was told.</param>
internal readonly record struct TailEvents(IReadOnlyList<EventEnvelope> Events, long Stored, long Last);
