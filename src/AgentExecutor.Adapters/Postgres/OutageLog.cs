using AgentExecutor.Core;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Says once that the server is away, and once that it is back, however many callers and pools it meets.</summary>
internal sealed class OutageLog(TimeProvider time, ILogger logger)
{
    private long _downSince; // a timestamp of the clock; 0 while the server is there

    public bool IsAway => Volatile.Read(ref _downSince) != 0;

    public void Failed(Exception exception)
    {
        if (PostgresFaults.IsConflict(exception) || PostgresFaults.IsLock(exception))
        {
            return;
        }
        Telemetry.DbConnectionErrors.Add(1);
        if (Interlocked.CompareExchange(ref _downSince, time.GetTimestamp(), 0) == 0)
        {
            Log.Unavailable(logger, PostgresFaults.Describe(exception).TrimEnd('.'));
        }
    }

    public void Succeeded()
    {
        if (Volatile.Read(ref _downSince) != 0 && Interlocked.Exchange(ref _downSince, 0) is not 0 and var since)
        {
            Log.Back(logger, Math.Round(time.GetElapsedTime(since).TotalSeconds, 1));
        }
    }
}
