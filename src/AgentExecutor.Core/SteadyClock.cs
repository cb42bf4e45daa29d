namespace AgentExecutor.Core;

/// <summary>
/// The clock of a store without a server. It follows the system's clock but never goes back: if the system's clock is set back, this clock
/// continues at its own pace. Otherwise, leases, due times and messages that were stored before the change would take effect too late, by
/// as much as the clock was set back.
/// </summary>
/// <param name="time">The system's clock.</param>
/// <param name="notBefore">The time that the clock had reached when an earlier process last stored it.</param>
public sealed class SteadyClock(TimeProvider time, DateTimeOffset notBefore = default)
{
    private readonly Lock _gate = new();
    private DateTimeOffset _last = notBefore;
    private long _lastAt = time.GetTimestamp();

    public DateTimeOffset UtcNow
    {
        get
        {
            lock (_gate)
            {
                var at = time.GetTimestamp();
                var (system, steady) = (time.GetUtcNow(), _last + time.GetElapsedTime(_lastAt, at));
                (_last, _lastAt) = (system > steady ? system : steady, at);
                return _last;
            }
        }
    }
}
