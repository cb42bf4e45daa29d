using System.Collections.Immutable;
using AgentExecutor.Core.Events;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// Delivers the events of one thread to all its subscribers in this process, in order and without duplicates. The feed has a position: all
/// events up to it have been delivered. Events come from runs in this process, from the transport, or from both. The event with the next
/// number is delivered at once, and older ones are dropped. An event after a gap waits until the gap has been read from the thread's
/// history, or until the log has grown past it.
/// </summary>
internal sealed class ThreadFeed(string threadId, EventHistory history, IEventTransport? transport, TimeProvider time, ILogger logger)
    : IAsyncDisposable
{
    private const int MaxPending = 4096;

    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SubscribeTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan OutageTimeout = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LivePeriod = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long live events can lag behind the log before the log is read instead. Reading the log skips the chunks that are still on their
    /// way.
    /// </summary>
    private static readonly TimeSpan LagTolerance = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, StreamEvent> _pending = [];
    private readonly WakeSignal _catchUp = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ImmutableArray<WatchQueue> _watchers = [];
    private long _position = -1;
    private long _attempt; // the greatest attempt seen; events of older attempts are ignored
    private (long At, long Since)? _lagging; // the position at which the feed lags behind the log, and since when
    private long _stored; // the greatest number seen in the log
    private long _lastLive = time.GetTimestamp();
    private WatchEnd? _end;
    private Task _running = Task.CompletedTask;

    public string ThreadId => threadId;

    /// <summary>True if the feed has a position.</summary>
    public bool IsReady => _ready.Task.IsCompleted;

    public void Begin() => _running = RunAsync(_ending.Token);

    /// <summary>Adds a subscriber. Its queue receives all events after the returned number.</summary>
    /// <exception cref="FaultException">There is no such thread (<see cref="FaultCodes.UnknownThread"/>), or the store is unavailable
    /// (<see cref="FaultCodes.StoreUnavailable"/>).</exception>
    public async ValueTask<long> JoinAsync(WatchQueue queue, CancellationToken cancellationToken)
    {
        await _ready.Task.WaitAsync(cancellationToken);
        lock (_gate)
        {
            if (_end is { } end)
            {
                queue.Close(end);
            }
            _watchers = _watchers.Add(queue);
            return _position;
        }
    }

    public void Leave(WatchQueue queue)
    {
        lock (_gate)
        {
            _watchers = _watchers.Remove(queue);
        }
    }

    /// <summary>Accepts a live event from any source. It never blocks and never throws.</summary>
    public void Offer(StreamEvent value)
    {
        lock (_gate)
        {
            _lastLive = time.GetTimestamp();
            if (value.Sequence <= _position || value.IsSuperseded(_attempt))
            {
                return;
            }
            ObserveAttempt(value.Attempt);
            if (value.Sequence == _position + 1 && _pending.Count == 0)
            {
                Deliver(value);
                return;
            }
            if (_pending.Count >= MaxPending)
            {
                _pending.Clear(); // the log has these events, or will have them
            }
            _pending[value.Sequence] = value;
            DrainPending();
            if (_pending.Count == 0)
            {
                return;
            }
        }
        CatchUp();
    }

    /// <summary>
    /// Compares the feed with the position of the log. If live events may still arrive, a feed that lags slightly behind is given some
    /// time.
    /// </summary>
    /// <returns>False if the feed lags behind, so that the next poll should follow soon.</returns>
    public bool Compare(LogPosition log)
    {
        if (log.Last < _stored)
        {
            Close(WatchEnd.ThreadDeleted); // another thread with the same id was submitted since the last poll
            return true;
        }
        lock (_gate)
        {
            _stored = log.Last;
            if (log.Last <= _position)
            {
                _lagging = null;
                return true;
            }
            if (_lagging?.At != _position)
            {
                _lagging = (_position, time.GetTimestamp());
            }
            var mayCome = transport is { IsConnected: true } || time.GetElapsedTime(_lastLive) < LivePeriod;
            if (mayCome && time.GetElapsedTime(_lagging.Value.Since) < LagTolerance)
            {
                return false;
            }
        }
        CatchUp();
        return false;
    }

    /// <summary>Makes the feed read what it may have missed.</summary>
    public void CatchUp() => _catchUp.Set();

    /// <summary>Ends all current and future subscriptions.</summary>
    public void Close(WatchEnd end)
    {
        lock (_gate)
        {
            _end ??= end;
            foreach (var watcher in _watchers)
            {
                watcher.Close(end);
            }
        }
    }

    /// <summary>Ends the feed. When the call returns, no more events arrive from the transport.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _running;
        _ending.Dispose();
        _catchUp.Dispose();
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        await Task.Yield();
        try
        {
            await SubscribeAsync(stopping);
            await OpenAsync(stopping);
            while (true)
            {
                await _catchUp.WaitAsync(Timeout.InfiniteTimeSpan, time, stopping);
                await CatchUpAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            _ready.TrySetCanceled(CancellationToken.None);
        }
        catch (Exception exception) // The subscriptions end with the reason, and new subscribers start a new feed.
        {
            if (!_ready.TrySetException(exception))
            {
                Log.FeedFailed(logger, exception, threadId);
            }
            _ = _ready.Task.Exception; // observes the exception, even if nothing waits for it any more
            Close(WatchEnd.Failed);
        }
        finally
        {
            transport?.Unsubscribe(threadId);
        }
    }

    private async Task SubscribeAsync(CancellationToken stopping)
    {
        if (transport is null)
        {
            return;
        }
        // During an outage, subscribing does not wait for its end.
        using var limit = new CancellationTokenSource(transport.IsConnected ? SubscribeTimeout : OutageTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        try
        {
            await transport.SubscribeAsync(threadId, Offer, CatchUp, either.Token);
        }
        catch (Exception exception) when (exception is FaultException or OperationCanceledException && !stopping.IsCancellationRequested)
        {
            // The log is polled in the meantime. The transport subscribes as soon as it is connected.
        }
    }

    /// <summary>Starts at the current position of the log, and catches up with events that were published but are not stored yet.</summary>
    private async Task OpenAsync(CancellationToken stopping)
    {
        var found = await history.Log.ReadPositionsAsync([threadId], stopping);
        if (found.IsEmpty)
        {
            throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");
        }
        lock (_gate)
        {
            (_position, _stored) = (found[0].Last, found[0].Last);
            DropOld();
        }
        try
        {
            await ReadAsync(stopping);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            CatchUp();
        }
        _ready.TrySetResult();
    }

    /// <summary>Reads the history until no event waits after a gap.</summary>
    private async Task CatchUpAsync(CancellationToken stopping)
    {
        for (var delay = FirstRetryDelay; ; delay = delay * 2 < MaxRetryDelay ? delay * 2 : MaxRetryDelay)
        {
            try
            {
                while (await ReadAsync(stopping))
                {
                    delay = FirstRetryDelay;
                }
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                // The store logs the outage itself. Pending events are read when it is available again.
            }
            lock (_gate)
            {
                if (_pending.Count == 0 || _end is not null)
                {
                    return;
                }
            }
            await Task.Delay(delay, time, stopping);
        }
    }

    /// <summary>Reads one page of the history. Returns true if there are further pages.</summary>
    private async Task<bool> ReadAsync(CancellationToken stopping)
    {
        if (await history.ReadAsync(threadId, Volatile.Read(ref _position), stopping) is not { } page)
        {
            Close(WatchEnd.ThreadDeleted);
            return false;
        }
        lock (_gate)
        {
            foreach (var value in page.Events)
            {
                DeliverPendingChunks(before: value.Sequence);
                ObserveAttempt(value.Attempt);
                if (value.Sequence > _position)
                {
                    Deliver(value);
                }
            }
            DeliverPendingChunks(before: page.UpTo + 1);
            _position = Math.Max(_position, page.UpTo);
            DropOld();
            DrainPending();
            return page.HasMore;
        }
    }

    private void DrainPending()
    {
        while (_pending.Count > 0 && _pending.Keys.First() == _position + 1)
        {
            var next = _pending[_position + 1];
            _pending.Remove(next.Sequence);
            Deliver(next);
        }
    }

    /// <summary>Delivers pending chunks that the history does not contain.</summary>
    private void DeliverPendingChunks(long before)
    {
        while (_pending.Count > 0 && _pending.Keys.First() is var oldest && oldest < before)
        {
            _pending.Remove(oldest, out var value);
            if (oldest > _position && !value.IsLogged)
            {
                Deliver(value);
            }
        }
    }

    /// <summary>
    /// Records the greatest attempt and drops pending events of older attempts. The log contains those of them that count.
    /// </summary>
    private void ObserveAttempt(long attempt)
    {
        if (attempt <= _attempt)
        {
            return;
        }
        _attempt = attempt;
        foreach (var (sequence, _) in _pending.Where(waiting => waiting.Value.IsSuperseded(attempt)).ToList())
        {
            _pending.Remove(sequence);
        }
    }

    private void DropOld()
    {
        while (_pending.Count > 0 && _pending.Keys.First() <= _position)
        {
            _pending.Remove(_pending.Keys.First());
        }
    }

    private void Deliver(StreamEvent value)
    {
        _position = value.Sequence;
        foreach (var watcher in _watchers)
        {
            if (!watcher.TryAdd(value))
            {
                Telemetry.StreamEventsDropped.Add(1);
            }
        }
    }
}
