namespace AgentExecutor.Core.Events;

/// <summary>
/// What waits for one watcher, bounded in events and bytes. One that is full takes nothing more and says so, once what it holds was read: there is no gap in what a watcher reads.
/// It tells one who reads and was met by a burst from one who reads nothing.
/// </summary>
internal sealed class WatchQueue(StreamSettings settings, TimeProvider time)
{
    private readonly Lock _gate = new();
    private List<StreamEvent> _waiting = [];
    private TaskCompletionSource? _reader;
    private long _bytes;
    private long _takenAt = time.GetTimestamp();
    private WatchEnd? _end;

    /// <summary>It ran full, and the watcher is to read on from the history.</summary>
    public bool IsOverrun { get; private set; }

    /// <summary>False where it takes no more.</summary>
    public bool TryAdd(in StreamEvent value)
    {
        lock (_gate)
        {
            IsOverrun |= _waiting.Count > 0 && (_waiting.Count >= settings.WatcherEvents || _bytes + value.Json.Length > settings.WatcherBytes);
            if (_end is not null || IsOverrun)
            {
                _end ??= time.GetElapsedTime(_takenAt) > TimeSpan.FromSeconds(settings.WatcherPatienceSeconds) ? WatchEnd.TooSlow : null;
                _reader?.TrySetResult();
                return false;
            }
            _takenAt = _waiting.Count == 0 ? time.GetTimestamp() : _takenAt; // until now there was nothing to take
            _bytes += value.Json.Length;
            _waiting.Add(value);
            _reader?.TrySetResult();
            return true;
        }
    }

    /// <summary>Nothing comes after what is there.</summary>
    public void Close(WatchEnd end)
    {
        lock (_gate)
        {
            _end ??= end;
            _reader?.TrySetResult();
        }
    }

    /// <summary>All that waits, at once; none where nothing does.</summary>
    /// <param name="end">Why nothing follows; null where more may come.</param>
    public IReadOnlyList<StreamEvent> Take(out WatchEnd? end)
    {
        lock (_gate)
        {
            var taken = _waiting;
            (_waiting, _bytes, end) = (taken.Count == 0 ? taken : [], 0, _end);
            _takenAt = time.GetTimestamp();
            return taken.Count == 0 ? [] : taken;
        }
    }

    /// <summary>Waits until there is something to take; false after so long without.</summary>
    public async ValueTask<bool> WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        Task something;
        lock (_gate)
        {
            if (_waiting.Count > 0 || _end is not null || IsOverrun)
            {
                return true;
            }
            _reader = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            something = _reader.Task;
        }
        try
        {
            await something.WaitAsync(atMost, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}

/// <summary>Why a watcher is told nothing more.</summary>
public enum WatchEnd
{
    /// <summary>The run has ended, or waits for a person.</summary>
    RunEnded,

    /// <summary>It read too slowly: it may come again, with the last number that it saw.</summary>
    TooSlow,

    /// <summary>The thread is gone.</summary>
    ThreadDeleted,

    /// <summary>This process stops: another, or the next start, goes on.</summary>
    Stopping,

    /// <summary>The thread cannot be followed: the log of the service says why.</summary>
    Failed,
}
