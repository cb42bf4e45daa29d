using AgentExecutor.Core;

namespace AgentExecutor.Server.Locks;

/// <summary>
/// Prevents two services from using the same embedded database, because notifications and the state of relays are kept in the process.
/// </summary>
internal static class ServiceLock
{
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.StoreInUse"/>: another service uses the directory; <see cref="FaultCodes.StoreUnavailable"/>.
    /// </exception>
    public static LockFile Take(string dataDir) =>
        LockFile.TryTake(dataDir, "service")
        ?? throw new FaultException(
            FaultCodes.StoreInUse,
            $"another service uses the embedded database in '{Path.GetFullPath(dataDir)}'",
            "stop the other service, use another directory (--data-dir or DATA_DIR), or use PostgreSQL for both (POSTGRES_HOST)"
        );
}
