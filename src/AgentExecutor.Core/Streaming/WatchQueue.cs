using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// The events that wait for one subscriber. The number of events and bytes is bounded. A full queue accepts no further events and reports
/// this once its events were read, so that the subscriber never misses events without notice. The queue distinguishes a subscriber that
/// reads but met a burst from one that reads nothing.
/// </summary>
internal sealed class WatchQueue(StreamSettings settings, TimeProvider time)
{
    private readonly Lock _gate = new();
    private List<StreamEvent> _waiting = [];
    private TaskCompletionSource? _reader;
    private long _bytes;
    private long _takenAt = time.GetTimestamp();
    private WatchEnd? _end;

    /// <summary>True if the queue was full, so that the subscriber must continue from the history.</summary>
    public bool HasOverflowed { get; private set; }

    /// <summary>Adds an event. Returns false if the queue accepts no more events.</summary>
    public bool TryAdd(in StreamEvent value)
    {
        lock (_gate)
        {
            var isFull = _waiting.Count >= settings.WatcherEvents || _bytes + value.Json.Length > settings.WatcherBytes;
            HasOverflowed |= _waiting.Count > 0 && isFull;
            if (_end is not null || HasOverflowed)
            {
                var isTooSlow = time.GetElapsedTime(_takenAt) > TimeSpan.FromSeconds(settings.WatcherPatienceSeconds);
                _end ??= isTooSlow ? WatchEnd.TooSlow : null;
                _reader?.TrySetResult();
                return false;
            }
            _takenAt = _waiting.Count == 0 ? time.GetTimestamp() : _takenAt; // there was nothing to read until now
            _bytes += value.Json.Length;
            _waiting.Add(value);
            _reader?.TrySetResult();
            return true;
        }
    }

    /// <summary>Declares that no events follow the queued ones.</summary>
    public void Close(WatchEnd end)
    {
        lock (_gate)
        {
            _end ??= end;
            _reader?.TrySetResult();
        }
    }

    /// <summary>Returns and removes all queued events.</summary>
    /// <param name="end">The reason why no events follow; null if more can follow.</param>
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

    /// <summary>Waits until there is something to read. Returns false after the given time.</summary>
    public async ValueTask<bool> WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        Task available;
        lock (_gate)
        {
            if (_waiting.Count > 0 || _end is not null || HasOverflowed)
            {
                return true;
            }
            _reader = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            available = _reader.Task;
        }
        try
        {
            await available.WaitAsync(atMost, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}

/// <summary>The reason why a subscription ended.</summary>
public enum WatchEnd
{
    /// <summary>The run has ended, or waits for a person.</summary>
    RunEnded,

    /// <summary>The subscriber read too slowly. It can subscribe again with the last number that it read.</summary>
    TooSlow,

    /// <summary>The thread was deleted.</summary>
    ThreadDeleted,

    /// <summary>This process is shutting down. Another process, or the next start, continues.</summary>
    Stopping,

    /// <summary>The thread cannot be followed. The log of the service contains the reason.</summary>
    Failed,
}
