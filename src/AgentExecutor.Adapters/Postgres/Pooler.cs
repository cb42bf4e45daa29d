using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Whether a connection pooler such as PgBouncer is between this process and a server. This is detected, not configured, and applies to the
/// whole process from then on: connections then use neither start-up parameters nor prepared statements, and queues are polled because
/// there are no notifications.
/// </summary>
internal sealed class Pooler
{
    private static readonly ConcurrentDictionary<string, Pooler> Known = new(StringComparer.Ordinal);

    private int _isInUse;

    /// <summary>True once a pooler was detected.</summary>
    public bool IsInUse => Volatile.Read(ref _isInUse) != 0;

    /// <summary>True once a connection was checked.</summary>
    public bool IsChecked { get; set; }

    /// <summary>True once a transaction succeeded through the pooler. A pooler in statement mode refuses transactions.</summary>
    public bool HasTransactions { get; set; }

    /// <summary>Returns the instance for the server of these settings. All pools of the process share it.</summary>
    public static Pooler At(PostgresSettings settings)
    {
        var options = PostgresConnections.Options(settings);
        return Known.GetOrAdd($"{options.Host}:{options.Port}/{options.Database}", static _ => new Pooler());
    }

    /// <summary>Records that there is a pooler, and logs once how it was detected.</summary>
    public void SetInUse(string reason, ILogger logger)
    {
        if (Interlocked.Exchange(ref _isInUse, 1) == 0)
        {
            Log.PoolerFound(logger, reason.TrimEnd('.'));
        }
    }
}
