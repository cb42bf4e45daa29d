using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// Selects the store and the bus: the servers that are configured, and otherwise the embedded database. A new store or bus is added here.
/// </summary>
internal static class StoreChoice
{
    /// <summary>True if the threads are stored in the embedded database.</summary>
    public static bool IsEmbedded(ServerSettings settings) => !AdapterCatalog.IsNamed(settings.Postgres);

    /// <summary>Opens the store of a process that shares its threads with other processes through leases.</summary>
    public static ThreadStore OpenShared(ServerSettings settings, TimeProvider time, ILoggerFactory loggers) =>
        IsEmbedded(settings)
            ? AdapterCatalog.OpenSqliteService(SqliteOf(settings), time)
            : AdapterCatalog.OpenPostgres(settings.Postgres, time, loggers);

    /// <summary>Opens the embedded database for a command. It needs no leases, because no other process executes its threads.</summary>
    public static ThreadStore OpenEmbedded(ServerSettings settings) => AdapterCatalog.OpenSqlite(SqliteOf(settings));

    /// <summary>Checks that the server of the store can be reached, and that its schema is current.</summary>
    public static Task CheckAsync(
        ServerSettings settings,
        TimeProvider time,
        ILoggerFactory loggers,
        CancellationToken cancellationToken
    ) => IsEmbedded(settings) ? Task.CompletedTask : AdapterCatalog.CheckPostgresAsync(settings.Postgres, time, loggers, cancellationToken);

    /// <summary>Opens the bus: NATS, or tables of the store. It connects when it is first used.</summary>
    /// <param name="settings">The program's settings.</param>
    /// <param name="store">Returns the store, which is only opened if its tables are the bus.</param>
    /// <param name="isClient">True for a command, which neither creates nor changes streams.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">The loggers.</param>
    public static IEventBus OpenBus(
        ServerSettings settings,
        Func<ThreadStore> store,
        bool isClient,
        TimeProvider time,
        ILoggerFactory loggers
    ) =>
        AdapterCatalog.IsNamed(settings.Nats) ? AdapterCatalog.OpenNatsBus(settings.Nats, settings.Bus, isClient, time, loggers)
        : IsEmbedded(settings) ? AdapterCatalog.OpenSqliteBus(store(), settings.Bus)
        : AdapterCatalog.OpenPostgresBus(settings.Postgres, settings.Bus, time, loggers);

    /// <summary>Describes the store for messages.</summary>
    public static string Describe(ServerSettings settings) =>
        IsEmbedded(settings) ? $"the embedded database in {settings.DataDir}" : AdapterCatalog.Describe(settings.Postgres);

    /// <summary>Describes the bus for messages.</summary>
    public static string DescribeBus(ServerSettings settings) =>
        AdapterCatalog.IsNamed(settings.Nats) ? AdapterCatalog.Describe(settings.Nats) : "tables of the store";

    private static SqliteSettings SqliteOf(ServerSettings settings) =>
        new() { Directory = settings.DataDir, SyncEveryCommit = settings.SyncEveryCommit };
}
