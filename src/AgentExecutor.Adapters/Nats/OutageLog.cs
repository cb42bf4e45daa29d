using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Says once that the server is away, and once that it is back, however many tries it takes.</summary>
internal sealed class OutageLog(TimeProvider time, ILogger logger)
{
    private long _downSince; // a timestamp of the clock; 0 while the server is there

    public void Failed(string reason)
    {
        if (Interlocked.CompareExchange(ref _downSince, time.GetTimestamp(), 0) == 0)
        {
            Log.Unavailable(logger, reason.TrimEnd('.'));
        }
    }

    public void Succeeded()
    {
        if (Interlocked.Exchange(ref _downSince, 0) is not 0 and var since)
        {
            Log.Back(logger, Math.Round(time.GetElapsedTime(since).TotalSeconds, 1));
        }
    }
}
