using AgentExecutor.Core;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Logs once when the server becomes unavailable and once when it is available again, however many callers and pools are affected. After an
/// outage, connections that were opened before it fail one by one when they are used. Such a failure is logged only if no call succeeds
/// within <see cref="Relapse"/>.
/// </summary>
internal sealed class OutageLog(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Relapse = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long connections that were opened before an outage may stay unused in their pools. This is about Npgsql's idle lifetime of a
    /// connection.
    /// </summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(5);

    private readonly Lock _gate = new();
    private volatile bool _isUnavailable;
    private volatile bool _refusesWrites;
    private bool _isLogged;
    private long _downSince;
    private long? _backAt;

    public bool IsUnavailable => _isUnavailable;

    /// <summary>
    /// True if a write failed because the disk of the server is full or the server is read-only. Reads and some writes may still succeed,
    /// so only <see cref="AcceptsWrites"/> ends such an outage.
    /// </summary>
    public bool RefusesWrites => _refusesWrites;

    private bool IsAftermath => _backAt is { } back && time.GetElapsedTime(back) < Aftermath;

    public void Failed(Exception exception)
    {
        if (PostgresFaults.IsConflict(exception) || PostgresFaults.IsLock(exception))
        {
            return;
        }
        Telemetry.DbConnectionErrors.Add(1);
        _refusesWrites |= PostgresFaults.RefusesWrites(exception);
        lock (_gate)
        {
            if (!_isUnavailable)
            {
                (_isUnavailable, _isLogged, _downSince) = (true, false, time.GetTimestamp());
            }
            if (_isLogged || (IsAftermath && time.GetElapsedTime(_downSince) < Relapse))
            {
                return;
            }
            _isLogged = true;
        }
        Log.Unavailable(logger, PostgresFaults.Explain(exception));
    }

    /// <summary>Records that the server accepts writes again, which a probe has found.</summary>
    public void AcceptsWrites()
    {
        _refusesWrites = false;
        Succeeded();
    }

    public void Succeeded()
    {
        if (!_isUnavailable || _refusesWrites)
        {
            return;
        }
        double seconds;
        lock (_gate)
        {
            var wasLogged = _isUnavailable && _isLogged;
            (_isUnavailable, _isLogged, _backAt) = (false, false, time.GetTimestamp());
            if (!wasLogged)
            {
                return;
            }
            seconds = time.GetElapsedTime(_downSince).TotalSeconds;
        }
        Log.Back(logger, Math.Round(seconds, 1));
    }
}
