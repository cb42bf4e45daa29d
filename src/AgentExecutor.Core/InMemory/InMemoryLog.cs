using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.InMemory;

/// <summary>
/// The logged events of one thread in memory, ordered by the sequence number of each commit's last event. The caller locks the thread.
/// </summary>
internal sealed class InMemoryLog
{
    private readonly List<StoredEvents> _commits = [];

    /// <summary>Adds the events of a commit. A commit that was added before is not changed.</summary>
    public void Add(StoredEvents events)
    {
        var index = FirstAfter(events.Last);
        if (index == 0 || _commits[index - 1].Last < events.Last)
        {
            _commits.Insert(index, events);
        }
    }

    public (IReadOnlyList<StoredEvents> Commits, bool HasMore) Read(long after, int limit)
    {
        var first = FirstAfter(after);
        var commits = _commits.GetRange(first, Math.Min(limit, _commits.Count - first));
        return (commits, first + commits.Count < _commits.Count);
    }

    /// <summary>
    /// Returns the index of the first commit with a greater sequence number. The binary search makes a page equally cheap at the end of a
    /// long thread.
    /// </summary>
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
