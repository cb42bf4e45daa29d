using System.Runtime.CompilerServices;

namespace AgentExecutor.Core.Events;

/// <summary>
/// One watcher of a thread: first what the thread has told after a number, from its history, then what it tells as it happens, without a gap or a repeat between the two.
/// <list type="number">
/// <item>Join the feed: what comes after its position waits in the queue.</item>
/// <item>Read the history up to that position, page by page.</item>
/// <item>Read the queue, leaving out what the history had already. After a queue that ran full it begins anew, unless the watcher read nothing meanwhile:
/// that one is too slow.</item>
/// </list>
/// </summary>
public sealed class Watch : IAsyncDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(1);

    private readonly ThreadFeed _feed;
    private readonly EventHistory _history;
    private readonly StreamSettings _settings;
    private readonly TimeProvider _time;
    private readonly Func<Watch, ValueTask> _leave;
    private bool _hasLeft;
    private WatchQueue _queue;
    private long _joinedAt;
    private long _last;
    private TimeSpan _retry = FirstRetry;

    private Watch(ThreadFeed feed, EventHistory history, long after, StreamSettings settings, TimeProvider time, Func<Watch, ValueTask> leave)
    {
        (_feed, _history, _last, _settings, _time, _leave) = (feed, history, after, settings, time, leave);
        _queue = NewQueue();
    }

    public string ThreadId => _feed.ThreadId;

    /// <summary>The number of the last event that was read; who comes again begins after it.</summary>
    public long Last => _last;

    /// <summary>Why nothing more comes; null until then.</summary>
    public WatchEnd? End { get; private set; }

    /// <summary>The run has ended and was told of before: there is nothing to watch.</summary>
    public bool IsOver { get; private set; }

    /// <exception cref="FaultException"><see cref="FaultCodes.UnknownThread"/>, or <see cref="FaultCodes.StoreUnavailable"/>.</exception>
    internal static async ValueTask<Watch> OpenAsync(
        ThreadFeed feed, EventHistory history, long after, StreamSettings settings, TimeProvider time, Func<Watch, ValueTask> leave, CancellationToken cancellationToken)
    {
        var watch = new Watch(feed, history, after, settings, time, leave);
        try
        {
            watch._joinedAt = await feed.JoinAsync(watch._queue, cancellationToken);
            if (after >= watch._joinedAt && await watch.IsOverAsync(cancellationToken))
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
    /// Everything after the number given, as many events at a time as there are; none is a sign of life, after a while without any. Ends with <see cref="End"/> set, or by
    /// cancellation. To be read once.
    /// </summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>: the history cannot be read.</exception>
    public async IAsyncEnumerable<IReadOnlyList<StreamEvent>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (End is null)
        {
            while (_last < _joinedAt && End is null)
            {
                if (await ReadHistoryAsync(cancellationToken) is { Count: > 0 } told)
                {
                    yield return told;
                }
            }
            while (End is null)
            {
                var taken = _queue.Take(out var end);
                if (taken.Count > 0)
                {
                    if (Take(taken) is { Count: > 0 } told)
                    {
                        yield return told;
                    }
                    else if (taken.Any(static value => value.IsEnd) && await IsOverAsync(cancellationToken))
                    {
                        End = WatchEnd.RunEnded; // who asked for what follows a number beyond the end would wait for ever
                    }
                }
                else if (end is not null)
                {
                    End = end;
                }
                else if (_queue.IsOverrun)
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

    /// <summary>The run has ended, and nothing of it follows what was read.</summary>
    private async ValueTask<bool> IsOverAsync(CancellationToken cancellationToken) =>
        await _history.ReadAsync(ThreadId, _last, cancellationToken) is { IsOver: true, Events.Count: 0 };

    private async ValueTask<IReadOnlyList<StreamEvent>> ReadHistoryAsync(CancellationToken cancellationToken)
    {
        var before = _last;
        if (await _history.ReadAsync(ThreadId, _last, cancellationToken) is not { } stretch)
        {
            End = WatchEnd.ThreadDeleted;
            return [];
        }
        _last = stretch.UpTo;
        if (stretch.IsOver && stretch.Events is [.., { IsEnd: true }])
        {
            End = WatchEnd.RunEnded;
        }
        else if (_last == before)
        {
            await Task.Delay(_retry, _time, cancellationToken); // told, kept nowhere, and not stored yet: it will be
            _retry = _retry * 2 < LongestRetry ? _retry * 2 : LongestRetry;
        }
        return stretch.Events;
    }

    /// <summary>What the history had already is left out; nothing follows an end.</summary>
    private List<StreamEvent> Take(IReadOnlyList<StreamEvent> taken)
    {
        var events = new List<StreamEvent>(taken.Count);
        foreach (var value in taken)
        {
            if (value.Sequence > _last && End is null)
            {
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
