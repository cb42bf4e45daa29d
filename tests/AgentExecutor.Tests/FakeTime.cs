namespace AgentExecutor.Tests;

/// <summary>A clock that only a test advances, or that skips every wait up to a certain length.</summary>
public sealed class FakeTime : TimeProvider
{
    private static readonly DateTimeOffset Began = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Lock _gate = new();
    private readonly List<FakeTimer> _timers = [];
    private readonly List<TimeSpan> _waits = [];
    private TimeSpan _now;

    /// <summary>Waits up to this length end at once and advance the clock by their length.</summary>
    public TimeSpan SkipsUpTo { get; init; } = TimeSpan.Zero;

    /// <summary>The time by which the clock has advanced.</summary>
    public TimeSpan Elapsed
    {
        get
        {
            lock (_gate)
            {
                return _now;
            }
        }
    }

    /// <summary>True if a timer is active.</summary>
    public bool IsWaitedFor
    {
        get
        {
            lock (_gate)
            {
                return _timers.Count > 0;
            }
        }
    }

    /// <summary>The lengths of the skipped waits in seconds.</summary>
    public IReadOnlyList<double> Skipped
    {
        get
        {
            lock (_gate)
            {
                return [.. _waits.Select(wait => wait.TotalSeconds)];
            }
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Began + Elapsed;

    public override long GetTimestamp() => Elapsed.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new FakeTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Waits until a timer with exactly this delay is active, and then advances the clock by it.</summary>
    public async Task PassAsync(TimeSpan wait)
    {
        await Eventually.True(() => Task.FromResult(IsAwaited(wait)));
        Advance(wait);
    }

    public void Advance(TimeSpan by)
    {
        var until = Elapsed + by;
        while (NextBefore(until) is { } timer)
        {
            timer.Fire();
        }
        lock (_gate)
        {
            _now = until;
        }
    }

    private bool IsAwaited(TimeSpan wait)
    {
        lock (_gate)
        {
            return _timers.Exists(timer => timer.DueAt == _now + wait);
        }
    }

    private FakeTimer? NextBefore(TimeSpan until)
    {
        lock (_gate)
        {
            var next = _timers.Where(timer => timer.DueAt <= until).MinBy(timer => timer.DueAt);
            if (next is not null)
            {
                _timers.Remove(next);
                _now = next.DueAt > _now ? next.DueAt : _now;
            }
            return next;
        }
    }

    private sealed class FakeTimer(FakeTime time, Action fire) : ITimer
    {
        public TimeSpan DueAt { get; private set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan)
                {
                    return true;
                }
                if (dueTime <= time.SkipsUpTo)
                {
                    time._now += dueTime;
                    time._waits.Add(dueTime);
                    ThreadPool.QueueUserWorkItem(_ => fire());
                    return true;
                }
                DueAt = time._now + dueTime;
                time._timers.Add(this);
                return true;
            }
        }

        public void Dispose()
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
