namespace AgentExecutor.Core.Workers;

/// <summary>
/// A run's place at its worker. It is given away once the run has done nothing but wait for a while: what waits for a moment only would let in more runs than go
/// on side by side. When the run goes on it has its place again at once.
/// </summary>
/// <param name="told">Called with true when the place is given away, with false when the run has it again.</param>
public sealed class Place(Action<bool> told, TimeProvider time) : IDisposable
{
    /// <summary>How long a run waits before its place is given away.</summary>
    public static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private ITimer? _timer;
    private bool _isWaiting;
    private bool _isGiven;

    /// <param name="begins">The run begins to wait, or goes on.</param>
    public void Wait(bool begins)
    {
        lock (_gate)
        {
            _isWaiting = begins;
            if (begins)
            {
                _timer ??= time.CreateTimer(_ => GiveAway(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timer.Change(Moment, Timeout.InfiniteTimeSpan);
            }
            else
            {
                _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                TakeBack();
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isWaiting = false;
            _timer?.Dispose();
            TakeBack();
        }
    }

    private void GiveAway()
    {
        lock (_gate)
        {
            if (_isWaiting && !_isGiven)
            {
                _isGiven = true;
                told(true);
            }
        }
    }

    private void TakeBack()
    {
        if (_isGiven)
        {
            _isGiven = false;
            told(false);
        }
    }
}
