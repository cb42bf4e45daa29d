namespace AgentExecutor.Server.Hosting;

/// <summary>
/// The two steps of a shutdown. After the first signal the service drains: <c>/ready</c> returns 503, and everything else works as before.
/// After the delay, or at a second signal, the service stops.
/// </summary>
internal sealed class Shutdown(TimeSpan delay, TimeProvider time) : IDisposable
{
    private readonly CancellationTokenSource _draining = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private ITimer? _timer;

    public TimeSpan Delay => delay;

    public CancellationToken Draining => _draining.Token;

    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Starts the next step. Call this method at each signal to stop.</summary>
    public void Begin()
    {
        lock (_gate)
        {
            if (delay > TimeSpan.Zero && _timer is null)
            {
                _timer = time.CreateTimer(
                    static state => ((CancellationTokenSource)state!).Cancel(),
                    _stopping,
                    delay,
                    Timeout.InfiniteTimeSpan
                );
                _draining.Cancel();
                return;
            }
        }
        _draining.Cancel();
        _stopping.Cancel();
    }

    public void Dispose()
    {
        _timer?.Dispose();
        _draining.Dispose();
        _stopping.Dispose();
    }
}
