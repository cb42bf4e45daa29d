namespace AgentExecutor.Core.Recording;

/// <summary>
/// Recorded exchanges by the hash of their request. A request that was made several times receives its answers in the order in which they
/// were recorded. Afterwards it receives the last one again, because a run that was killed may repeat a request.
/// </summary>
public sealed class ReplayIndex
{
    private readonly Lock _lock = new();
    private readonly IReadOnlyList<RecordedExchange> _all;
    private readonly Dictionary<(string Kind, string Hash), Queue<RecordedExchange>> _waiting;
    private readonly HashSet<RecordedExchange> _used = new(ReferenceEqualityComparer.Instance);

    public ReplayIndex(IReadOnlyList<RecordedExchange> all)
    {
        _all = all;
        _waiting = all.GroupBy(it => (it.Kind, it.Hash)).ToDictionary(group => group.Key, group => new Queue<RecordedExchange>(group));
    }

    public int Count => _all.Count;

    /// <summary>The number of exchanges that have been used, each counted once.</summary>
    public int Used
    {
        get
        {
            lock (_lock)
            {
                return _used.Count;
            }
        }
    }

    /// <summary>Returns the next answer to the request; null if the request was not recorded.</summary>
    public RecordedExchange? Take(CanonicalRequest request)
    {
        lock (_lock)
        {
            if (!_waiting.TryGetValue((request.Kind, request.Hash), out var queue))
            {
                return null;
            }
            var next = queue.Count > 1 ? queue.Dequeue() : queue.Peek();
            _used.Add(next);
            return next;
        }
    }

    /// <summary>
    /// Returns the recorded request of the same kind with the fewest differences, preferring unused ones; null if there is none.
    /// </summary>
    public RecordedExchange? Nearest(CanonicalRequest request)
    {
        var asked = request.Element;
        lock (_lock)
        {
            return _all.Where(it => it.Kind == request.Kind)
                .OrderBy(it => RequestDiff.Distance(it.Request, asked))
                .ThenBy(_used.Contains)
                .ThenBy(it => it.Line)
                .FirstOrDefault();
        }
    }
}
