using System.Collections.Immutable;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Events;

/// <summary>
/// The events of one watched thread, in order and each once, to all its watchers in this process. It holds a position: all events up to it were handed out. Events
/// come from the runs here, from the transport, or both; one with the next number is handed out at once, an older one is dropped. One beyond a gap waits until the
/// gap is read from the thread's history, or until the log has grown past it.
/// </summary>
internal sealed class ThreadFeed(string threadId, EventHistory history, IEventTransport? transport, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private const int MostPending = 4096;

    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SubscribeLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan OutageLimit = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LiveFor = TimeSpan.FromSeconds(2);

    /// <summary>How long live events may be behind the log before it is read instead, which costs the chunks that are still on their way.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, StreamEvent> _pending = [];
    private readonly Nudge _behind = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ImmutableArray<WatchQueue> _watchers = [];
    private long _position = -1;
    private (long At, long Since)? _stuck; // behind the log, at this position since then
    private long _lastLive = time.GetTimestamp();
    private WatchEnd? _end;
    private Task _running = Task.CompletedTask;

    public string ThreadId => threadId;

    /// <summary>It has a position.</summary>
    public bool IsReady => _ready.Task.IsCompleted;

    public void Begin() => _running = RunAsync(_ending.Token);

    /// <summary>Hands the queue all events after the number that it returns.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.UnknownThread"/>, or <see cref="FaultCodes.StoreUnavailable"/>.</exception>
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

    /// <summary>An event as it happens, from whatever side; never blocks and never throws.</summary>
    public void Offer(StreamEvent value)
    {
        lock (_gate)
        {
            _lastLive = time.GetTimestamp();
            if (value.Sequence <= _position)
            {
                return;
            }
            if (value.Sequence == _position + 1 && _pending.Count == 0)
            {
                HandOut(value);
                return;
            }
            if (_pending.Count >= MostPending)
            {
                _pending.Clear(); // the log has them, or will
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

    /// <summary>How far the log has come. Where live events may come, a feed that is just behind it is given a little time.</summary>
    /// <returns>False where it is behind, and the next look should come soon.</returns>
    public bool Look(LogPosition at)
    {
        lock (_gate)
        {
            if (at.Last <= _position)
            {
                _stuck = null;
                return true;
            }
            if (_stuck?.At != _position)
            {
                _stuck = (_position, time.GetTimestamp());
            }
            var mayCome = transport is { IsConnected: true } || time.GetElapsedTime(_lastLive) < LiveFor;
            if (mayCome && time.GetElapsedTime(_stuck.Value.Since) < Grace)
            {
                return false;
            }
        }
        CatchUp();
        return false;
    }

    /// <summary>Has the feed read what it may have missed.</summary>
    public void CatchUp() => _behind.Give();

    /// <summary>Ends all watchers, and those to come.</summary>
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

    /// <summary>When it returns, nothing comes from the transport any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _running;
        _ending.Dispose();
        _behind.Dispose();
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
                await _behind.WaitAsync(Timeout.InfiniteTimeSpan, time, stopping);
                await CatchUpAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            _ready.TrySetCanceled(CancellationToken.None);
        }
        catch (Exception exception) // the border of a feed: its watchers are told and leave, and whoever comes then begins a new one
        {
            if (!_ready.TrySetException(exception))
            {
                Log.NotFollowed(logger, exception, threadId);
            }
            _ = _ready.Task.Exception; // seen, also where nobody waits any more
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
        using var limit = new CancellationTokenSource(transport.IsConnected ? SubscribeLimit : OutageLimit, time); // during an outage nobody waits for its end
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
        try
        {
            await transport.SubscribeAsync(threadId, Offer, CatchUp, either.Token);
        }
        catch (Exception exception) when (exception is FaultException or OperationCanceledException && !stopping.IsCancellationRequested)
        {
            // The log is looked at meanwhile; once there is a connection the subscription is taken up.
        }
    }

    /// <summary>Begins where the log stands. What was told and is not stored yet is caught up with at once.</summary>
    private async Task OpenAsync(CancellationToken stopping)
    {
        var found = await history.Log.LookAsync([threadId], stopping);
        if (found.IsEmpty)
        {
            throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");
        }
        lock (_gate)
        {
            _position = found[0].Last;
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

    /// <summary>Reads on until nothing waits beyond a gap.</summary>
    private async Task CatchUpAsync(CancellationToken stopping)
    {
        for (var wait = FirstRetry; ; wait = wait * 2 < LongestRetry ? wait * 2 : LongestRetry)
        {
            try
            {
                while (await ReadAsync(stopping))
                {
                    wait = FirstRetry;
                }
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
            {
                // the store says so itself, once; what waits here is read when it is back
            }
            lock (_gate)
            {
                if (_pending.Count == 0 || _end is not null)
                {
                    return;
                }
            }
            await Task.Delay(wait, time, stopping);
        }
    }

    /// <summary>True where there is more to read.</summary>
    private async Task<bool> ReadAsync(CancellationToken stopping)
    {
        if (await history.ReadAsync(threadId, Volatile.Read(ref _position), stopping) is not { } stretch)
        {
            Close(WatchEnd.ThreadDeleted);
            return false;
        }
        lock (_gate)
        {
            foreach (var value in stretch.Events)
            {
                HandOutPendingChunks(before: value.Sequence);
                if (value.Sequence > _position)
                {
                    HandOut(value);
                }
            }
            HandOutPendingChunks(before: stretch.UpTo + 1);
            _position = Math.Max(_position, stretch.UpTo);
            DropOld();
            DrainPending();
            return stretch.HasMore;
        }
    }

    private void DrainPending()
    {
        while (_pending.Count > 0 && _pending.Keys.First() == _position + 1)
        {
            var next = _pending[_position + 1];
            _pending.Remove(next.Sequence);
            HandOut(next);
        }
    }

    /// <summary>A chunk that is at hand and that the history did not have.</summary>
    private void HandOutPendingChunks(long before)
    {
        while (_pending.Count > 0 && _pending.Keys.First() is var oldest && oldest < before)
        {
            _pending.Remove(oldest, out var value);
            if (oldest > _position && !value.IsLogged)
            {
                HandOut(value);
            }
        }
    }

    private void DropOld()
    {
        while (_pending.Count > 0 && _pending.Keys.First() <= _position)
        {
            _pending.Remove(_pending.Keys.First());
        }
    }

    private void HandOut(StreamEvent value)
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
