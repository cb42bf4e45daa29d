namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Detects when the clock of the server, which decides about all leases, has advanced further than the time that has passed here: it was
/// set forward, or the machine was suspended together with its workers. Leases then appear expired although no worker had time to renew
/// them.
/// </summary>
internal sealed class ServerClock(TimeProvider time)
{
    /// <summary>By how much network delays may shift the time that the server reports.</summary>
    private static readonly TimeSpan Jitter = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private (DateTime Server, long Local)? _last;
    private DateTime _trustedFrom = DateTime.MinValue;

    /// <summary>Returns the range of server times in which an expired lease means a lost worker.</summary>
    /// <param name="lease">
    /// The tolerated deviation of the clock. After a larger deviation, holders get the same time to renew their leases.
    /// </param>
    public (DateTime From, DateTime UpTo) Window(TimeSpan lease)
    {
        lock (_gate)
        {
            var upTo = _last is { } last ? last.Server + time.GetElapsedTime(last.Local) + lease + Jitter : DateTime.MaxValue;
            return (_trustedFrom, upTo);
        }
    }

    /// <summary>Records the time of the server.</summary>
    /// <param name="server">The time that the server reported.</param>
    /// <param name="upTo">The end of the range that <see cref="Window"/> returned before the server was queried.</param>
    /// <param name="lease">The value that was passed to <see cref="Window"/>.</param>
    public void Record(DateTime server, DateTime upTo, TimeSpan lease)
    {
        lock (_gate)
        {
            _trustedFrom =
                server > upTo ? server + lease
                : _trustedFrom > server + lease ? DateTime.MinValue
                : _trustedFrom;
            _last = (server, time.GetTimestamp());
        }
    }
}
