namespace AgentExecutor.Core.Checkpoints;

/// <summary>What the commits of one thread told, in memory, by the number of each one's last event; whoever owns the thread locks it.</summary>
internal sealed class InMemoryLog
{
    private readonly List<StoredEvents> _commits = [];

    /// <summary>A commit that is there already stays as it is.</summary>
    public void Add(StoredEvents events)
    {
        var place = FirstAfter(events.Last);
        if (place == 0 || _commits[place - 1].Last < events.Last)
        {
            _commits.Insert(place, events);
        }
    }

    public (IReadOnlyList<StoredEvents> Commits, bool HasMore) Read(long after, int limit)
    {
        var first = FirstAfter(after);
        var commits = _commits.GetRange(first, Math.Min(limit, _commits.Count - first));
        return (commits, first + commits.Count < _commits.Count);
    }

    /// <summary>The place of the first commit with a greater number, found by halving: a page costs as much at the end of a long thread as of a short one.</summary>
    private int FirstAfter(long sequence)
    {
        var (low, high) = (0, _commits.Count);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = _commits[middle].Last > sequence ? (low, middle) : (middle + 1, high);
        }
        return low;
    }
}
