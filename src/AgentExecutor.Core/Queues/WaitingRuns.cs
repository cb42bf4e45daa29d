namespace AgentExecutor.Core.Queues;

/// <summary>
/// Holds the next run of each in-memory thread that no worker holds, in the order in which they are claimed. Threads report their changes,
/// so a claim reads only the runs that are ready. A run is ready if it is due and has no concurrency key, or if it is due and one of the
/// key's positions is reserved for it.
/// </summary>
internal sealed class WaitingRuns
{
    /// <summary>How many runs of a key are considered for a free position. Their limits may differ, so the first one may not fit.</summary>
    private const int MaxConsidered = 50;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, ThreadState> _threads = new(StringComparer.Ordinal);
    private readonly Dictionary<string, KeyedRuns> _keys = new(StringComparer.Ordinal);
    private readonly SortedSet<QueuedRun> _notDue = new(QueuedRun.ByAge);
    private readonly SortedSet<QueuedRun> _ready = new(QueuedRun.ByUrgency);
    private long _submitted;

    /// <summary>Assigns the run its position in the order of submissions.</summary>
    public QueuedRun Number(RunSubmission submission, DateTimeOffset dueAt) =>
        new(submission, dueAt, Interlocked.Increment(ref _submitted));

    /// <summary>Applies a change of a thread.</summary>
    /// <param name="next">The run to execute next, or null if no run waits or a worker holds the thread.</param>
    /// <param name="heldKey">The concurrency key of the run that a worker holds.</param>
    public void Update(string threadId, QueuedRun? next, string? heldKey)
    {
        lock (_gate)
        {
            var before = _threads.GetValueOrDefault(threadId);
            var after = new ThreadState(next, heldKey);
            if (before == after)
            {
                return;
            }
            // The held run is counted first, so that a run that is being claimed keeps its key's position.
            Count(heldKey, 1);
            Count(before.HeldKey, -1);
            if (before.Next != next)
            {
                Remove(before.Next);
                if (next is not null)
                {
                    _notDue.Add(next);
                }
            }
            Balance(before.HeldKey);
            Balance(before.Next?.Key);
            if (after == default)
            {
                _threads.Remove(threadId);
            }
            else
            {
                _threads[threadId] = after;
            }
        }
    }

    /// <summary>Returns at most <paramref name="atMost"/> ready runs, the most urgent ones first.</summary>
    public IReadOnlyList<QueuedRun> FindReady(DateTimeOffset now, int atMost)
    {
        lock (_gate)
        {
            MoveDueRuns(now);
            return [.. _ready.Take(atMost)];
        }
    }

    /// <summary>Returns how many runs are ready, and when the oldest of them became due.</summary>
    public (int Count, DateTimeOffset Oldest) Measure(DateTimeOffset now)
    {
        lock (_gate)
        {
            MoveDueRuns(now);
            return (_ready.Count, _ready.Count == 0 ? now : _ready.Min(static run => run.DueAt));
        }
    }

    /// <summary>Moves runs that have become due to the ready runs, or to the runs that wait for their key.</summary>
    private void MoveDueRuns(DateTimeOffset now)
    {
        while (_notDue.Min is { } run && run.DueAt <= now)
        {
            _notDue.Remove(run);
            if (run.Key is null)
            {
                _ready.Add(run);
            }
            else
            {
                KeyOf(run.Key).Full.Add(run);
                Balance(run.Key);
            }
        }
    }

    private void Remove(QueuedRun? run)
    {
        if (run is null || _notDue.Remove(run))
        {
            return;
        }
        _ready.Remove(run);
        if (run.Key is not null && _keys.TryGetValue(run.Key, out var key))
        {
            _ = key.Full.Remove(run) || key.Ready.Remove(run);
        }
    }

    private void Count(string? name, int by)
    {
        if (name is not null)
        {
            KeyOf(name).Held += by;
        }
    }

    /// <summary>
    /// Reserves the free positions of the key for its most urgent runs. A more urgent run replaces a ready run that no worker has claimed
    /// yet. If the limits of the runs differ, each limit applies to its own run.
    /// </summary>
    private void Balance(string? name)
    {
        if (name is null || !_keys.TryGetValue(name, out var key))
        {
            return;
        }
        while (key.Full.Take(MaxConsidered).FirstOrDefault(run => run.Limit > key.Taken) is { } best)
        {
            MakeReady(key, best);
        }
        while (
            key.Full.Min is { } best
            && best.Limit >= key.Taken
            && key.Ready.Max is { } worst
            && QueuedRun.ByUrgency.Compare(best, worst) < 0
        )
        {
            key.Ready.Remove(worst);
            _ready.Remove(worst);
            key.Full.Add(worst);
            MakeReady(key, best);
        }
        if (key is { Held: 0, Full.Count: 0, Ready.Count: 0 })
        {
            _keys.Remove(name);
        }
    }

    private void MakeReady(KeyedRuns key, QueuedRun run)
    {
        key.Full.Remove(run);
        key.Ready.Add(run);
        _ready.Add(run);
    }

    private KeyedRuns KeyOf(string name)
    {
        if (!_keys.TryGetValue(name, out var key))
        {
            _keys[name] = key = new KeyedRuns();
        }
        return key;
    }

    private readonly record struct ThreadState(QueuedRun? Next, string? HeldKey);

    private sealed class KeyedRuns
    {
        public int Held { get; set; }

        public SortedSet<QueuedRun> Full { get; } = new(QueuedRun.ByUrgency);

        public SortedSet<QueuedRun> Ready { get; } = new(QueuedRun.ByUrgency);

        public int Taken => Held + Ready.Count;
    }
}
