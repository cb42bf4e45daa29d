using System.Collections.Immutable;
using AgentExecutor.Core.Events;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// The live events of a serving process. Events of its runs go to the subscribers in this process and to other processes; events of other
/// processes' runs come from the transport. A <see cref="ThreadFeed"/> follows each thread once, regardless of the number of subscribers. A
/// thread without subscribers costs nothing.
/// </summary>
public sealed class LiveEvents : IEventStream, IDisposable
{
    /// <summary>The number of chunks to keep without a transport: about one long message.</summary>
    private const int FullTail = 4096;

    /// <summary>The number of chunks to keep with a transport: those that are on their way to it.</summary>
    private const int ShortTail = 128;

    private static readonly TimeSpan MinPollInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxPollInterval = TimeSpan.FromSeconds(1);

    private readonly IEventTransport? _transport;
    private readonly StreamSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly EventTails _tails;
    private readonly EventHistory _history;
    private readonly EventPump _pump;
    private readonly Lock _gate = new();
    private readonly WakeSignal _hasWatchers = new();
    private ImmutableDictionary<string, Following> _feeds = ImmutableDictionary<string, Following>.Empty;
    private int _watchers;
    private bool _isStopping;

    /// <param name="replay">Reads the log.</param>
    /// <param name="transport">Connects this process to the others. Without one (null), their events are read from the log. The caller
    /// closes it.</param>
    /// <param name="settings">The settings of live events.</param>
    /// <param name="time">The source of time.</param>
    /// <param name="logger">The logger.</param>
    public LiveEvents(EventReplay replay, IEventTransport? transport, StreamSettings settings, TimeProvider time, ILogger logger)
    {
        (_transport, _settings, _time, _logger) = (transport, settings, time, logger);
        _tails = new EventTails(transport is null ? FullTail : ShortTail);
        _history = new EventHistory(replay, _tails, transport, settings.State, time);
        _pump = new EventPump(transport, settings, Deliver, time, logger);
    }

    /// <summary>The number of subscribers.</summary>
    public int Watchers => Volatile.Read(ref _watchers);

    public IEventSink Open(string threadId, long last) => new Sink(this, threadId, last);

    /// <summary>
    /// Subscribes to a thread: returns all its events after a number, first the past and then the live ones. The caller disposes of the
    /// result.
    /// </summary>
    /// <exception cref="FaultException">There is no such thread (<see cref="FaultCodes.UnknownThread"/>), the store is unavailable
    /// (<see cref="FaultCodes.StoreUnavailable"/>), there are too many subscribers (<see cref="FaultCodes.StreamUnavailable"/>), or the
    /// service is shutting down (<see cref="FaultCodes.ShuttingDown"/>).</exception>
    public async ValueTask<Watch> WatchAsync(string threadId, long after, CancellationToken cancellationToken) =>
        await Watch.OpenAsync(
            await FollowAsync(threadId, cancellationToken),
            _history,
            after,
            _settings,
            _time,
            LeaveAsync,
            cancellationToken
        );

    /// <summary>Distributes events until asked to stop; then ends all subscriptions.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await Task.WhenAll(_pump.RunAsync(stopping), PollAsync(stopping));
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

    /// <summary>Must be called after <see cref="RunAsync"/> has ended.</summary>
    public void Dispose() => _hasWatchers.Dispose();

    private void Deliver(string threadId, StreamEvent value)
    {
        if (Volatile.Read(ref _feeds).TryGetValue(threadId, out var following))
        {
            following.Feed.Offer(value);
        }
    }

    /// <summary>
    /// Returns the thread's feed and counts one more subscriber. A feed that is ending must end before the next one starts, because they
    /// share a subscription.
    /// </summary>
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
                throw new FaultException(FaultCodes.ShuttingDown, "the service is stopping", "connect again: another replica will answer");
            }
            if (_watchers >= _settings.MaxWatchers)
            {
                throw new FaultException(
                    FaultCodes.StreamUnavailable,
                    $"this replica already has {_watchers} subscribers, which is the limit",
                    "try again later or at another replica, or raise AGENT_EXECUTOR_STREAM_MAX_WATCHERS"
                );
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
                _hasWatchers.Set();
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

    /// <summary>
    /// Polls the log positions of all followed threads, because live events can be lost, and without a transport there are none from other
    /// processes.
    /// </summary>
    private async Task PollAsync(CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                if (Volatile.Read(ref _feeds).IsEmpty)
                {
                    await _hasWatchers.WaitAsync(Timeout.InfiniteTimeSpan, _time, stopping);
                }
                await Task.Delay(MinPollInterval, _time, stopping);
                await PollOnceAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The process is shutting down.
        }
    }

    private async Task PollOnceAsync(CancellationToken stopping)
    {
        var due = Volatile
            .Read(ref _feeds)
            .Values.Where(it => it.Feed.IsReady && _time.GetElapsedTime(it.PolledAt) >= it.PollInterval)
            .ToImmutableArray();
        if (due.IsEmpty)
        {
            return;
        }
        try
        {
            var threadIds = due.Select(static it => it.Feed.ThreadId).ToImmutableArray();
            var found = (await _history.Log.ReadPositionsAsync(threadIds, stopping)).ToDictionary(static position => position.ThreadId);
            foreach (var following in due)
            {
                following.PolledAt = _time.GetTimestamp();
                if (!found.TryGetValue(following.Feed.ThreadId, out var position))
                {
                    following.Feed.Close(WatchEnd.ThreadDeleted);
                    continue;
                }
                var isUpToDate = following.Feed.Compare(position);
                var doubled = following.PollInterval * 2;
                following.PollInterval =
                    !isUpToDate ? MinPollInterval
                    : doubled < MaxPollInterval ? doubled
                    : MaxPollInterval;
            }
        }
        catch (FaultException)
        {
            // The store logs the outage itself. Polling must continue, because subscribers depend on it.
        }
        catch (Exception exception) when (!stopping.IsCancellationRequested) // A failed poll must not end the polling.
        {
            Log.PollFailed(_logger, exception);
        }
    }

    /// <summary>
    /// The sink of one attempt of a run. It adds events to the tail, and passes them to the pump if there may be a subscriber.
    /// </summary>
    private sealed class Sink(LiveEvents events, string threadId, long last) : IEventSink
    {
        private readonly EventTail _tail = events._tails.Make(last);
        private bool _isOpen;

        public void Publish(EventEnvelope envelope)
        {
            _tail.Add(envelope);
            if (!_isOpen)
            {
                _isOpen = true;
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

    /// <summary>A feed and the number of its subscribers. A feed without subscribers is ending.</summary>
    private sealed class Following(ThreadFeed feed, long polledAt)
    {
        public ThreadFeed Feed => feed;

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Watchers { get; set; }

        public long PolledAt { get; set; } = polledAt;

        public TimeSpan PollInterval { get; set; } = MinPollInterval;
    }
}
