namespace AgentExecutor.Core.Workers;

/// <summary>
/// The worker slot that a run occupies. It is released while the run only waits, so that the worker can claim another run, and reclaimed
/// as soon as the run continues. Short waits do not release the slot, because the worker would then run more runs at once than intended.
/// </summary>
/// <param name="onChange">Called with true when the slot is released, and with false when the run reclaims it.</param>
/// <param name="time">The source of time.</param>
public sealed class WorkerSlot(Action<bool> onChange, TimeProvider time) : IDisposable
{
    /// <summary>How long a run must wait before its slot is released.</summary>
    public static readonly TimeSpan ReleaseDelay = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private ITimer? _timer;
    private bool _isWaiting;
    private bool _isReleased;

    /// <param name="isWaiting">True if the run starts to wait, false if it continues.</param>
    public void SetWaiting(bool isWaiting)
    {
        lock (_gate)
        {
            _isWaiting = isWaiting;
            if (isWaiting)
            {
                _timer ??= time.CreateTimer(_ => Release(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timer.Change(ReleaseDelay, Timeout.InfiniteTimeSpan);
            }
            else
            {
                _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                Reclaim();
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isWaiting = false;
            _timer?.Dispose();
            Reclaim();
        }
    }

    private void Release()
    {
        lock (_gate)
        {
            if (_isWaiting && !_isReleased)
            {
                _isReleased = true;
                onChange(true);
            }
        }
    }

    private void Reclaim()
    {
        if (_isReleased)
        {
            _isReleased = false;
            onChange(false);
        }
    }
}
