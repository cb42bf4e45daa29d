using System.Collections.Immutable;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Events;

/// <summary>
/// The live events of a serving process: what its runs tell goes to those who watch here and to other processes; what others' runs tell comes from there. However many watch
/// a thread here, it is followed once, by a <see cref="ThreadFeed"/>; a thread that nobody watches costs nothing.
/// </summary>
public sealed class LiveEvents : IEventStream, IDisposable
{
    /// <summary>About one long message in chunks.</summary>
    private const int WholeTail = 4096;

    /// <summary>What is on its way to the transport, which has the rest.</summary>
    private const int ShortTail = 128;

    private static readonly TimeSpan ShortestLook = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(1);

    private readonly IEventTransport? _transport;
    private readonly StreamSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly EventTails _tails;
    private readonly EventHistory _history;
    private readonly EventPump _pump;
    private readonly Lock _gate = new();
    private readonly Nudge _watched = new();
    private ImmutableDictionary<string, Following> _feeds = ImmutableDictionary<string, Following>.Empty;
    private int _watchers;
    private bool _isStopping;

    /// <param name="replay">Reads the log.</param>
    /// <param name="transport">To and from other processes; null where there is none: theirs are then read from the log. Its owner closes it.</param>
    /// <param name="settings">How.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what goes wrong.</param>
    public LiveEvents(EventReplay replay, IEventTransport? transport, StreamSettings settings, TimeProvider time, ILogger logger)
    {
        (_transport, _settings, _time, _logger) = (transport, settings, time, logger);
        _tails = new EventTails(transport is null ? WholeTail : ShortTail);
        _history = new EventHistory(replay, _tails, transport, settings.State, time);
        _pump = new EventPump(transport, settings, HandOut, time, logger);
    }

    /// <summary>How many watch.</summary>
    public int Watchers => Volatile.Read(ref _watchers);

    public IEventSink Open(string threadId, long last) => new Sink(this, threadId, last);

    /// <summary>Watches a thread: all that it has told after a number, and then what it tells. To be disposed of.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.UnknownThread"/>; <see cref="FaultCodes.StoreUnavailable"/>; <see cref="FaultCodes.StreamUnavailable"/>: too many watch; <see cref="FaultCodes.ShuttingDown"/>.
    /// </exception>
    public async ValueTask<Watch> WatchAsync(string threadId, long after, CancellationToken cancellationToken) =>
        await Watch.OpenAsync(await FollowAsync(threadId, cancellationToken), _history, after, _settings, _time, LeaveAsync, cancellationToken);

    /// <summary>Passes events on until it is asked to stop; then ends all watchers.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await Task.WhenAll(_pump.RunAsync(stopping), LookAsync(stopping));
        ImmutableDictionary<string, Following> left;
        lock (_gate)
        {
            (_isStopping, left) = (true, _feeds);
        }
        foreach (var following in left.Values)
        {
            following.Feed.Close(WatchEnd.Stopping);
        }
    }

    /// <summary>When <see cref="RunAsync"/> has ended.</summary>
    public void Dispose() => _watched.Dispose();

    private void HandOut(string threadId, StreamEvent value)
    {
        if (Volatile.Read(ref _feeds).TryGetValue(threadId, out var following))
        {
            following.Feed.Offer(value);
        }
    }

    /// <summary>The thread's feed, with one more watcher. One that is ending must have ended before the next begins: they share a subscription.</summary>
    private async ValueTask<ThreadFeed> FollowAsync(string threadId, CancellationToken cancellationToken)
    {
        while (true)
        {
            var following = Follow(threadId);
            if (following.Watchers > 0)
            {
                return following.Feed;
            }
            await following.Ended.Task.WaitAsync(cancellationToken);
        }
    }

    private Following Follow(string threadId)
    {
        lock (_gate)
        {
            if (_isStopping)
            {
                throw new FaultException(FaultCodes.ShuttingDown, "the service is stopping", "try again: another replica goes on");
            }
            if (_watchers >= _settings.MaxWatchers)
            {
                throw new FaultException(FaultCodes.StreamUnavailable, $"{_watchers} watch already, and no more may", "try again later, at another replica, or raise AGENT_EXECUTOR_STREAM_MAX_WATCHERS");
            }
            if (_feeds.TryGetValue(threadId, out var following) && following.Watchers == 0)
            {
                return following;
            }
            if (following is null)
            {
                following = new Following(new ThreadFeed(threadId, _history, _transport, _time, _logger), _time.GetTimestamp());
                following.Feed.Begin();
                _feeds = _feeds.Add(threadId, following);
                _watched.Give();
            }
            following.Watchers++;
            _watchers++;
            return following;
        }
    }

    private async ValueTask LeaveAsync(Watch watch)
    {
        Following following;
        lock (_gate)
        {
            _watchers--;
            following = _feeds[watch.ThreadId];
            if (--following.Watchers > 0)
            {
                return;
            }
        }
        await following.Feed.DisposeAsync();
        lock (_gate)
        {
            _feeds = _feeds.Remove(watch.ThreadId);
        }
        following.Ended.SetResult();
    }

    /// <summary>Looks where the log of each watched thread stands, now and then: live events may be lost on their way, and without a transport there are none of other processes.</summary>
    private async Task LookAsync(CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                if (Volatile.Read(ref _feeds).IsEmpty)
                {
                    await _watched.WaitAsync(Timeout.InfiniteTimeSpan, _time, stopping);
                }
                await Task.Delay(ShortestLook, _time, stopping);
                await LookOnceAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // asked to stop
        }
    }

    private async Task LookOnceAsync(CancellationToken stopping)
    {
        var due = Volatile.Read(ref _feeds).Values.Where(it => it.Feed.IsReady && _time.GetElapsedTime(it.LookedAt) >= it.Pause).ToImmutableArray();
        if (due.IsEmpty)
        {
            return;
        }
        try
        {
            var found = (await _history.Log.LookAsync([.. due.Select(static it => it.Feed.ThreadId)], stopping)).ToDictionary(static at => at.ThreadId);
            foreach (var following in due)
            {
                following.LookedAt = _time.GetTimestamp();
                if (!found.TryGetValue(following.Feed.ThreadId, out var at))
                {
                    following.Feed.Close(WatchEnd.ThreadDeleted);
                    continue;
                }
                var isQuiet = following.Feed.Look(at);
                following.Pause = !isQuiet ? ShortestLook : following.Pause * 2 < LongestLook ? following.Pause * 2 : LongestLook;
            }
        }
        catch (FaultException)
        {
            // The store says so itself, once. Watchers depend on there being a next look.
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested) // the border of a look
        {
            Log.NotLooked(_logger, exception);
        }
    }

    /// <summary>One attempt of a run: to its tail, and to the pump where somebody may be there to hear.</summary>
    private sealed class Sink(LiveEvents events, string threadId, long last) : IEventSink
    {
        private readonly EventTail _tail = events._tails.Make(last);
        private bool _hasTold;

        public void Publish(EventEnvelope envelope)
        {
            _tail.Add(envelope);
            if (!_hasTold)
            {
                _hasTold = true;
                events._tails.Open(threadId, _tail);
            }
            if (events._transport is not null || Volatile.Read(ref events._feeds).ContainsKey(threadId))
            {
                events._pump.Add(envelope);
            }
        }

        public void Stored(long last) => _tail.Stored(last);

        public void Dispose() => events._tails.Close(threadId, _tail);
    }

    /// <summary>A feed and who uses it; without watchers it is ending.</summary>
    private sealed class Following(ThreadFeed feed, long lookedAt)
    {
        public ThreadFeed Feed => feed;

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Watchers { get; set; }

        public long LookedAt { get; set; } = lookedAt;

        public TimeSpan Pause { get; set; } = ShortestLook;
    }
}
