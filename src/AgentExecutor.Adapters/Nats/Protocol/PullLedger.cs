namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// What was asked for and has neither come nor lapsed. The server serves its waiting requests in turn and a message does not say which of them it answers;
/// so messages are booked on the oldest, and when a request ends the server's own count of what it left open puts the sum right.
/// The sum is exact; how it is spread over the requests may not be.
/// </summary>
internal sealed class PullLedger
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2); // for the server's own word to arrive

    private readonly List<Entry> _entries = [];
    private DateTimeOffset _heard;

    public int Outstanding { get; private set; }

    public bool IsEmpty => _entries.Count == 0;

    /// <summary>A request lapsed without the server's word, as all do where nobody serves the consumer: the API swallows requests for a missing one.</summary>
    public bool FellSilent { get; set; }

    /// <param name="expires">When the server gives the request up.</param>
    /// <param name="heartbeat">How often the server says that it still has it; zero where it does not.</param>
    public void Asked(long id, int batch, DateTimeOffset now, TimeSpan expires, TimeSpan heartbeat)
    {
        _heard = IsEmpty ? now : _heard;
        _entries.Add(new Entry(id, batch, now, now + expires + Grace, heartbeat * 2));
        Outstanding += batch;
    }

    public void Heard(DateTimeOffset now) => _heard = now;

    public void Delivered() => Book(1);

    /// <summary>The server has done with a request.</summary>
    /// <param name="left">What it had left to deliver of it; null where it did not say.</param>
    public void Ended(long id, int? left)
    {
        var index = _entries.FindIndex(entry => entry.Id == id);
        var open = index < 0 ? 0 : _entries[index].Open;
        if (index >= 0)
        {
            _entries.RemoveAt(index);
            Outstanding -= open;
        }
        var miscounted = (left ?? open) - open;
        if (miscounted > 0)
        {
            Book(miscounted); // messages that were booked on this one had come for others
        }
        else if (miscounted < 0 && !IsEmpty)
        {
            _entries[0] = _entries[0] with { Open = _entries[0].Open - miscounted }; // and the other way round
            Outstanding -= miscounted;
        }
    }

    public void Clear()
    {
        _entries.Clear();
        Outstanding = 0;
    }

    /// <summary>Forgets what the server should have ended or spoken of by now, and says when to look again; null where nothing is left.</summary>
    public DateTimeOffset? Lapse(DateTimeOffset now)
    {
        FellSilent |= _entries.RemoveAll(entry => Deadline(entry) <= now) > 0;
        Outstanding = _entries.Sum(entry => entry.Open);
        return IsEmpty ? null : _entries.Min(Deadline);
    }

    private DateTimeOffset Deadline(Entry entry)
    {
        var silence = (entry.Asked > _heard ? entry.Asked : _heard) + entry.Silence;
        return entry.Silence > TimeSpan.Zero && silence < entry.Lapses ? silence : entry.Lapses;
    }

    private void Book(int count)
    {
        while (count > 0 && !IsEmpty)
        {
            var taken = Math.Min(count, _entries[0].Open);
            (count, Outstanding) = (count - taken, Outstanding - taken);
            _entries[0] = _entries[0] with { Open = _entries[0].Open - taken };
            if (_entries[0].Open == 0)
            {
                _entries.RemoveAt(0);
            }
        }
    }

    private readonly record struct Entry(long Id, int Open, DateTimeOffset Asked, DateTimeOffset Lapses, TimeSpan Silence);
}
