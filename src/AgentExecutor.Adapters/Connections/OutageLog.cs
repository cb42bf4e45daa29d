namespace AgentExecutor.Adapters.Connections;

/// <summary>
/// Logs once that a server is unavailable, and once that it is available again, regardless of the number of attempts and connections.
/// </summary>
/// <param name="time">The source of time.</param>
/// <param name="unavailable">Logs the start of the outage, given the reason.</param>
/// <param name="available">Logs its end, given the duration in seconds.</param>
internal sealed class OutageLog(TimeProvider time, Action<string> unavailable, Action<double> available)
{
    private readonly Lock _gate = new();
    private readonly HashSet<object> _failing = [];
    private long _downSince;

    public void Failed(object connection, string reason)
    {
        lock (_gate)
        {
            if (!_failing.Add(connection) || _failing.Count > 1)
            {
                return;
            }
            _downSince = time.GetTimestamp();
        }
        unavailable(reason.TrimEnd('.'));
    }

    /// <summary>Reports a successful attempt. The outage ends when all connections have succeeded.</summary>
    public void Succeeded(object connection)
    {
        lock (_gate)
        {
            if (!_failing.Remove(connection) || _failing.Count > 0)
            {
                return;
            }
        }
        available(Math.Round(time.GetElapsedTime(_downSince).TotalSeconds, 1));
    }
}
