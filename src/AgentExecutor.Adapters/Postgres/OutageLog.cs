using AgentExecutor.Core;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Says once that the server is away, and once that it is back, however many callers and pools it meets. When it comes back, connections that other pools have had
/// since before still fail: such a relapse is told only if it lasts.
/// </summary>
internal sealed class OutageLog(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Relapse = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private volatile bool _isAway;
    private bool _isTold;
    private long _downSince;
    private long? _backAt;

    public bool IsAway => _isAway;

    public void Failed(Exception exception)
    {
        if (PostgresFaults.IsConflict(exception) || PostgresFaults.IsLock(exception))
        {
            return;
        }
        Telemetry.DbConnectionErrors.Add(1);
        lock (_gate)
        {
            if (!_isAway)
            {
                (_isAway, _isTold, _downSince) = (true, false, time.GetTimestamp());
            }
            if (_isTold || (_backAt is { } back && time.GetElapsedTime(back) < Relapse))
            {
                return;
            }
            _isTold = true;
        }
        Log.Unavailable(logger, PostgresFaults.Describe(exception).TrimEnd('.'));
    }

    public void Succeeded()
    {
        if (!_isAway)
        {
            return;
        }
        double seconds;
        lock (_gate)
        {
            var wasTold = _isAway && _isTold;
            (_isAway, _isTold, _backAt) = (false, false, time.GetTimestamp());
            if (!wasTold)
            {
                return;
            }
            seconds = time.GetElapsedTime(_downSince).TotalSeconds;
        }
        Log.Back(logger, Math.Round(seconds, 1));
    }
}
