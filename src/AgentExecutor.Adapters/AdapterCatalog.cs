using AgentExecutor.Adapters.Anthropic;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Adapters.OpenAI;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Adapters;

/// <summary>The adapters for each interface of Core. A new adapter needs a line here.</summary>
public static partial class AdapterCatalog
{
    /// <summary>How many seconds a watcher or reader waits for an unavailable store.</summary>
    private const double ReaderPatience = 5;

    /// <summary>The number of requests that read at the same time by default.</summary>
    private const int ReadConnections = 8;

    public static IReadOnlyList<IModelProvider> ModelProviders(ModelServerSettings servers, TimeProvider time) =>
        [
            new AnthropicProvider(ModelServer.ForAnthropic(servers), servers, time),
            new OpenAIProvider(ModelServer.ForOpenAI(servers), servers, time),
            new OpenAIProvider(ModelServer.ForOpenAICompatible(servers), servers, time),
            new OpenAIProvider(ModelServer.ForOllama(servers), servers, time),
            new ScriptedProvider(time),
        ];

    /// <summary>Returns true if the directory contains an embedded store.</summary>
    public static bool HasSqlite(string directory) => SqliteDatabase.Exists(directory);

    /// <summary>Opens the embedded store for one process, without a queue.</summary>
    /// <exception cref="Core.FaultException">The database file cannot be opened.</exception>
    public static ThreadStore OpenSqlite(SqliteSettings settings)
    {
        var store = new SqliteCheckpointStore(settings);
        return new ThreadStore(store, store, new SqliteEventLog(store.Access), store)
        {
            Budgets = new SqliteBudgetLedger(store.Access),
            Interrupts = new SqliteInterruptStore(store.Access),
            Retention = new SqliteRetention(store.Access),
        };
    }

    /// <summary>Opens the embedded store for a service: with leases, the queue and the outbox.</summary>
    /// <exception cref="Core.FaultException">The database file cannot be opened.</exception>
    public static ThreadStore OpenSqliteService(SqliteSettings settings, TimeProvider time)
    {
        var access = new SqliteAccess(settings, time, mustWrite: true);
        var store = new SqliteCheckpointStore(access);
        return new ThreadStore(store, store, new SqliteEventLog(access), access)
        {
            Queue = new SqliteRunQueue(access),
            Probe = access.ProbeAsync,
            Outbox = new SqliteOutbox(access),
            Budgets = new SqliteBudgetLedger(access),
            Interrupts = new SqliteInterruptStore(access),
            Retention = new SqliteRetention(access),
        };
    }

    /// <summary>
    /// Opens the bus in a table of the embedded store. It uses the file of the store, which must be closed after the bus.
    /// </summary>
    /// <param name="store">The store that <see cref="OpenSqliteService"/> has opened.</param>
    /// <param name="bus">The settings of the bus.</param>
    public static IEventBus OpenSqliteBus(ThreadStore store, BusSettings bus) =>
        store.Owner is SqliteAccess access
            ? new SqliteEventBus(access, bus)
            : throw new ArgumentException("The store was not opened by OpenSqliteService.", nameof(store));

    /// <summary>Returns all faults in a section of the settings, without connecting to the server.</summary>
    public static IEnumerable<SettingFault> Check(PostgresSettings settings) => PostgresSettingsCheck.Check(settings);

    /// <inheritdoc cref="Check(PostgresSettings)"/>
    public static IEnumerable<SettingFault> Check(NatsSettings settings) => NatsSettingsCheck.Check(settings);

    /// <inheritdoc cref="Check(PostgresSettings)"/>
    public static IEnumerable<SettingFault> Check(RedisSettings settings) => RedisSettingsCheck.Check(settings);

    /// <inheritdoc cref="Check(PostgresSettings)"/>
    public static IEnumerable<SettingFault> Check(ModelServerSettings settings) => ModelServerSettingsCheck.Check(settings);

    /// <summary>Returns true if the settings contain a server.</summary>
    public static bool IsNamed(PostgresSettings settings) => settings.IsNamed;

    /// <summary>Describes the server, without its password.</summary>
    public static string Describe(PostgresSettings settings)
    {
        var options = PostgresConnections.Options(settings);
        return $"PostgreSQL at {options.Host}:{options.Port}, database {options.Database}, schema {settings.Schema}";
    }

    /// <summary>Checks the schema, and opens the PostgreSQL store.</summary>
    /// <exception cref="Core.FaultException">The server cannot be reached, or its schema is older than the program.</exception>
    public static async Task<ThreadStore> OpenPostgresAsync(
        PostgresSettings settings,
        TimeProvider time,
        ILoggerFactory loggers,
        CancellationToken cancellationToken
    )
    {
        await CheckPostgresAsync(settings, time, loggers, cancellationToken);
        return OpenPostgres(settings, time, loggers);
    }

    /// <summary>Checks that the PostgreSQL server can be reached and that its schema has the version that the program needs.</summary>
    /// <exception cref="Core.FaultException">The server cannot be reached, or its schema is older than the program.</exception>
    public static Task CheckPostgresAsync(
        PostgresSettings settings,
        TimeProvider time,
        ILoggerFactory loggers,
        CancellationToken cancellationToken
    ) =>
        MigratorAsync(
            settings,
            time,
            loggers,
            async (migrator, cancel) =>
            {
                await migrator.CheckAsync(cancel);
                return true;
            },
            cancellationToken
        );

    /// <summary>
    /// Opens the PostgreSQL store, which connects at its first use. It does not check the schema: see <see cref="CheckPostgresAsync"/>.
    /// Components that must not wait for each other have connection pools of their own.
    /// </summary>
    public static ThreadStore OpenPostgres(PostgresSettings settings, TimeProvider time, ILoggerFactory loggers)
    {
        var outages = new OutageLog(time, loggers.CreateLogger<OutageLog>());
        var access = Access(settings, time, outages, loggers);
        var store = new PostgresCheckpointStore(access, settings.Committers);
        // Claims and leases have connections of their own, and so have submissions and queries of callers. Otherwise reads of many threads,
        // or many callers, could prevent leases from being renewed.
        var callers = Access(settings with { MaxPoolSize = 0, Committers = 1 }, time, outages, loggers);
        var queue = new PostgresRunQueue(Access(settings with { MaxPoolSize = 0, Committers = 1 }, time, outages, loggers), callers);
        // These must never wait for callers: the relays, the job ledger, the query for results that requests wait for, the readiness probe,
        // and the janitor. Each has one connection.
        var relay = Access(settings with { MaxPoolSize = 6, Committers = 1 }, time, outages, loggers);
        // Nothing else waits for the reads of watchers, regardless of their number and duration. If too few connections are free for them,
        // this does not count as an outage.
        var watchers = Access(
            settings with
            {
                MaxPoolSize = 0,
                Committers = 1,
                PatienceSeconds = ReaderPatience,
            },
            time,
            new OutageLog(time, NullLogger.Instance),
            loggers,
            hasBitmaps: false
        );
        var watched = new PostgresCheckpointStore(watchers, committers: 1);
        // Callers that read states and histories. The connections limit how many of them read at the same time.
        var readers = Access(
            settings with
            {
                MaxPoolSize = ReadConnections,
                Committers = 1,
                PatienceSeconds = ReaderPatience,
            },
            time,
            new OutageLog(time, NullLogger.Instance),
            loggers
        );
        var read = new PostgresCheckpointStore(readers, committers: 1);
        // Reservations may wait for the row of a budget.
        var budgets = new PostgresBudgetLedger(Access(settings with { MaxPoolSize = 0, Committers = 1 }, time, outages, loggers));
        return new ThreadStore(store, store, new PostgresEventLog(watchers), new PostgresParts(queue, store, relay, watched, read, budgets))
        {
            Budgets = budgets,
            Retention = new PostgresRetention(access),
            Watched = new ThreadReads(watched, watched, null),
            Read = new ThreadReads(read, read, new PostgresOutbox(readers)),
            Interrupts = new PostgresInterruptStore(callers),
            Queue = queue,
            Outbox = new PostgresOutbox(relay),
            Probe = cancel => PostgresProbe.RunAsync(relay, cancel),
        };
    }

    /// <summary>Opens the bus in a table of the PostgreSQL store, whose schema must exist.</summary>
    public static IEventBus OpenPostgresBus(PostgresSettings settings, BusSettings bus, TimeProvider time, ILoggerFactory loggers) =>
        new PostgresEventBus(
            Access(
                settings with
                {
                    MaxPoolSize = 0,
                    Committers = 1,
                },
                time,
                new OutageLog(time, loggers.CreateLogger<OutageLog>()),
                loggers
            ),
            bus
        );

    /// <summary>Returns true if the settings contain a server.</summary>
    public static bool IsNamed(NatsSettings settings) => settings.IsNamed;

    /// <summary>Describes the servers, without their secrets.</summary>
    /// <exception cref="FaultException">The URL is invalid.</exception>
    public static string Describe(NatsSettings settings) => $"NATS at {NatsEventBus.Describe(settings)}";

    /// <summary>Opens the bus on NATS JetStream, which connects at its first use.</summary>
    /// <param name="settings">The settings of the server.</param>
    /// <param name="bus">The settings of the bus.</param>
    /// <param name="isClient">True if it must not create or change streams.</param>
    /// <param name="time">The source of time.</param>
    /// <param name="loggers">Creates the loggers.</param>
    public static IEventBus OpenNatsBus(NatsSettings settings, BusSettings bus, bool isClient, TimeProvider time, ILoggerFactory loggers) =>
        new NatsEventBus(settings, bus, isClient, time, loggers);

    /// <summary>Returns true if the settings contain a server.</summary>
    public static bool IsNamed(RedisSettings settings) => settings.IsNamed;

    /// <summary>Describes the server, without its secrets.</summary>
    /// <exception cref="FaultException">The URL is invalid.</exception>
    public static string Describe(RedisSettings settings) => $"Redis at {RedisEventTransport.Describe(settings)}";

    /// <summary>Opens the transport of live events over a Redis-compatible server, which connects at its first use.</summary>
    /// <exception cref="FaultException">The URL is invalid.</exception>
    public static IEventTransport OpenRedisTransport(
        RedisSettings settings,
        StreamSettings stream,
        TimeProvider time,
        ILoggerFactory loggers
    ) => new RedisEventTransport(settings, stream, time, loggers);

    /// <summary>
    /// Migrates the PostgreSQL schema to this version, or to the newest one if it is null. Returns the versions before and after, and the
    /// newest one.
    /// </summary>
    /// <exception cref="Core.FaultException">The server cannot be reached, or there is no such version.</exception>
    public static async Task<(int Before, int After, int Newest)> MigratePostgresAsync(
        PostgresSettings settings,
        int? version,
        TimeProvider time,
        ILoggerFactory loggers,
        CancellationToken cancellationToken
    )
    {
        var (before, after) = await MigratorAsync(
            settings,
            time,
            loggers,
            (migrator, cancel) => migrator.MigrateAsync(version, cancel),
            cancellationToken
        );
        return (before, after, PostgresMigrator.All.Count);
    }

    /// <summary>
    /// Returns what <see cref="MigratePostgresAsync"/> to this version would delete, one line for each migration that it would revert.
    /// </summary>
    public static async Task<IReadOnlyList<string>> PostgresLossesAsync(
        PostgresSettings settings,
        int version,
        TimeProvider time,
        ILoggerFactory loggers,
        CancellationToken cancellationToken
    )
    {
        var found = await MigratorAsync(settings, time, loggers, (migrator, cancel) => migrator.VersionAsync(cancel), cancellationToken);
        return PostgresMigrator.LossesOf(found, version);
    }

    /// <summary>Returns the version of the PostgreSQL schema, and the newest version of this program.</summary>
    public static async Task<(int Version, int Newest)> PostgresVersionAsync(
        PostgresSettings settings,
        TimeProvider time,
        ILoggerFactory loggers,
        CancellationToken cancellationToken
    )
    {
        var found = await MigratorAsync(settings, time, loggers, (migrator, cancel) => migrator.VersionAsync(cancel), cancellationToken);
        return (found, PostgresMigrator.All.Count);
    }

    /// <summary>
    /// Uses the migrator at start-up or in a command. An outage is not logged here, because the caller reports the exception.
    /// </summary>
    private static async Task<T> MigratorAsync<T>(
        PostgresSettings settings,
        TimeProvider time,
        ILoggerFactory loggers,
        Func<PostgresMigrator, CancellationToken, Task<T>> use,
        CancellationToken cancellationToken
    )
    {
        await using var access = Access(settings, time, new OutageLog(time, NullLogger.Instance), loggers);
        try
        {
            return await use(new PostgresMigrator(access, settings.Schema, loggers.CreateLogger<PostgresMigrator>()), cancellationToken);
        }
        catch (FaultException fault)
        {
            throw PostgresFaults.AtStart(fault);
        }
    }

    private static PostgresAccess Access(
        PostgresSettings settings,
        TimeProvider time,
        OutageLog outages,
        ILoggerFactory loggers,
        bool hasBitmaps = true
    ) =>
        new(
            new PostgresSource(settings, loggers.CreateLogger<PostgresSource>(), hasBitmaps),
            TimeSpan.FromSeconds(settings.PatienceSeconds),
            time,
            outages
        );

    private sealed record PostgresParts(
        PostgresRunQueue Queue,
        PostgresCheckpointStore Store,
        PostgresAccess Relay,
        PostgresCheckpointStore Watched,
        PostgresCheckpointStore Read,
        PostgresBudgetLedger Budgets
    ) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Store.DisposeAsync();
            await Queue.DisposeAsync();
            await Relay.DisposeAsync();
            await Watched.DisposeAsync();
            await Read.DisposeAsync();
            await Budgets.DisposeAsync();
        }
    }
}
