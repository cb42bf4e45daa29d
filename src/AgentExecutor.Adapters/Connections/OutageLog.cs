namespace AgentExecutor.Adapters.Connections;

/// <summary>Says once that a server is away, and once that it is back, however many tries it takes and however many connections to it there are.</summary>
/// <param name="away">Says it, with the reason.</param>
/// <param name="back">Says it, with the seconds that the server was away.</param>
internal sealed class OutageLog(TimeProvider time, Action<string> away, Action<double> back)
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
        away(reason.TrimEnd('.'));
    }

    /// <summary>The server is back when every connection is.</summary>
    public void Succeeded(object connection)
    {
        lock (_gate)
        {
            if (!_failing.Remove(connection) || _failing.Count > 0)
            {
                return;
            }
        }
        back(Math.Round(time.GetElapsedTime(_downSince).TotalSeconds, 1));
    }
}
