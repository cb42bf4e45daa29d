using System.Runtime.CompilerServices;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// A subscription to a thread: first the past events after a number, from the history, and then the live events, without gaps or
/// duplicates between the two.
/// <list type="number">
/// <item>Join the feed. Events after its position are added to the queue.</item>
/// <item>Read the history up to that position, page by page.</item>
/// <item>Read the queue and skip what the history already contained. If the queue was full, start again, unless the subscriber read
/// nothing in the meantime: such a subscriber is too slow and is disconnected.</item>
/// </list>
/// A subscriber can present the number of an event of an earlier thread with the same id. When <see cref="EarlierThreadCheck"/> has
/// established this, the subscription starts at the beginning of the thread.
/// </summary>
public sealed class Watch : IAsyncDisposable
{
    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(1);

    private readonly ThreadFeed _feed;
    private readonly EventHistory _history;
    private readonly StreamSettings _settings;
    private readonly TimeProvider _time;
    private readonly Func<Watch, ValueTask> _leave;
    private bool _hasLeft;
    private WatchQueue _queue;
    private long _joinedAt;
    private long _last;
    private long _attempt;
    private EarlierThreadCheck? _earlierThread; // set while the subscriber's number is greater than all known numbers
    private TimeSpan _retryDelay = FirstRetryDelay;

    private Watch(
        ThreadFeed feed,
        EventHistory history,
        long after,
        StreamSettings settings,
        TimeProvider time,
        Func<Watch, ValueTask> leave
    )
    {
        (_feed, _history, _last, _settings, _time, _leave) = (feed, history, after, settings, time, leave);
        _queue = NewQueue();
    }

    public string ThreadId => _feed.ThreadId;

    /// <summary>The number of the last event that was read. A subscriber that reconnects continues after it.</summary>
    public long Last => _last;

    /// <summary>The reason why the subscription ended; null while it is active.</summary>
    public WatchEnd? End { get; private set; }

    /// <summary>True if the run has ended and all its events have been read before, so that there is nothing to wait for.</summary>
    public bool IsOver { get; private set; }

    /// <exception cref="FaultException">There is no such thread (<see cref="FaultCodes.UnknownThread"/>), or the store is unavailable
    /// (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    internal static async ValueTask<Watch> OpenAsync(
        ThreadFeed feed,
        EventHistory history,
        long after,
        StreamSettings settings,
        TimeProvider time,
        Func<Watch, ValueTask> leave,
        CancellationToken cancellationToken
    )
    {
        var watch = new Watch(feed, history, after, settings, time, leave);
        try
        {
            watch._joinedAt = await feed.JoinAsync(watch._queue, cancellationToken);
            if (after > watch._joinedAt)
            {
                watch._earlierThread = history.CheckForEarlierThread(feed.ThreadId, after);
                await watch.RestartIfEarlierThreadAsync(cancellationToken);
            }
            if (watch._last >= watch._joinedAt && await watch.IsOverAsync(cancellationToken))
            {
                (watch.IsOver, watch.End) = (true, WatchEnd.RunEnded);
            }
            return watch;
        }
        catch
        {
            await watch.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Returns all events after the number, in batches as they become available. An empty batch is a keep-alive after a while without
    /// events. The enumeration ends when <see cref="End"/> is set, or with cancellation. It can be enumerated only once.
    /// </summary>
    /// <exception cref="FaultException">The history cannot be read (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    public async IAsyncEnumerable<IReadOnlyList<StreamEvent>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (End is null)
        {
            while (_last < _joinedAt && End is null)
            {
                if (await ReadHistoryAsync(cancellationToken) is { Count: > 0 } events)
                {
                    yield return events;
                }
            }
            while (End is null)
            {
                var taken = _queue.Take(out var end);
                if (taken.Count > 0)
                {
                    if (Take(taken) is { Count: > 0 } events)
                    {
                        yield return events;
                    }
                    else if (
                        _earlierThread is not null
                        && (_earlierThread.IsHere || taken.Any(static value => value.IsLogged))
                        && await RestartIfEarlierThreadAsync(cancellationToken)
                    )
                    {
                        await RejoinAsync(cancellationToken);
                        break;
                    }
                    else if (taken.Any(static value => value.IsEnd) && await IsOverAsync(cancellationToken))
                    {
                        End = WatchEnd.RunEnded; // a subscriber whose number is beyond the end would otherwise wait forever
                    }
                }
                else if (end is not null)
                {
                    End = end;
                }
                else if (_queue.HasOverflowed)
                {
                    await RejoinAsync(cancellationToken);
                    break;
                }
                else
                {
                    if (!await _queue.WaitAsync(TimeSpan.FromSeconds(_settings.HeartbeatSeconds), _time, cancellationToken))
                    {
                        yield return [];
                    }
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_hasLeft)
        {
            _hasLeft = true;
            _feed.Leave(_queue);
            await _leave(this);
        }
    }

    /// <summary>Returns true if the run has ended and no events follow those that were read.</summary>
    private async ValueTask<bool> IsOverAsync(CancellationToken cancellationToken) =>
        await _history.ReadAsync(ThreadId, _last, cancellationToken) is { IsOver: true, Events.Count: 0 };

    /// <summary>
    /// Returns true if the subscriber's number belongs to an earlier thread. The subscription then starts at the beginning.
    /// </summary>
    private async ValueTask<bool> RestartIfEarlierThreadAsync(CancellationToken cancellationToken)
    {
        if (_earlierThread is null || await _earlierThread.DecideAsync(cancellationToken) is not { } isEarlier)
        {
            return false;
        }
        _earlierThread = null;
        (_last, _attempt) = isEarlier ? (0, 0) : (_last, _attempt);
        return isEarlier;
    }

    private async ValueTask<IReadOnlyList<StreamEvent>> ReadHistoryAsync(CancellationToken cancellationToken)
    {
        var before = _last;
        if (await _history.ReadAsync(ThreadId, _last, cancellationToken) is not { } page)
        {
            End = WatchEnd.ThreadDeleted;
            return [];
        }
        _last = page.UpTo;
        _attempt = page.Events.Aggregate(_attempt, static (greatest, value) => Math.Max(greatest, value.Attempt));
        if (page.IsOver && page.Events is [.., { IsEnd: true }])
        {
            End = WatchEnd.RunEnded;
        }
        else if (_last == before)
        {
            // The event was published but is not stored yet and not available anywhere else; it will be stored.
            await Task.Delay(_retryDelay, _time, cancellationToken);
            _retryDelay = _retryDelay * 2 < MaxRetryDelay ? _retryDelay * 2 : MaxRetryDelay;
        }
        return page.Events;
    }

    /// <summary>Skips what the history already contained, and everything after an end.</summary>
    private List<StreamEvent> Take(IReadOnlyList<StreamEvent> taken)
    {
        var events = new List<StreamEvent>(taken.Count);
        foreach (var value in taken)
        {
            if (value.Sequence > _last && End is null && !value.IsSuperseded(_attempt))
            {
                _attempt = Math.Max(_attempt, value.Attempt);
                _earlierThread = null;
                events.Add(value);
                _last = value.Sequence;
                End = value.IsEnd ? WatchEnd.RunEnded : null;
            }
        }
        return events;
    }

    private async Task RejoinAsync(CancellationToken cancellationToken)
    {
        _feed.Leave(_queue);
        _queue = NewQueue();
        _joinedAt = await _feed.JoinAsync(_queue, cancellationToken);
    }

    private WatchQueue NewQueue() => new(_settings, _time);
}
