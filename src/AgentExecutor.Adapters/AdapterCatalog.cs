using AgentExecutor.Adapters.Anthropic;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Adapters.OpenAI;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Adapters;

/// <summary>What there is for each seam: to add an adapter is to add a line here.</summary>
public static class AdapterCatalog
{
    /// <summary>Seconds that someone who watches waits for the store.</summary>
    private const double WatcherPatience = 5;

    public static IReadOnlyList<IModelProvider> ModelProviders(ModelServerSettings servers, TimeProvider time) =>
    [
        new AnthropicProvider(ModelServer.ForAnthropic(servers), servers, time),
        new OpenAIProvider(ModelServer.ForOpenAI(servers), servers, time),
        new OpenAIProvider(ModelServer.ForOpenAICompatible(servers), servers, time),
        new OpenAIProvider(ModelServer.ForOllama(servers), servers, time),
        new ScriptedProvider(time),
    ];

    public static IReadOnlyList<IToolSource> ToolSources(HttpToolSettings http, TimeProvider time) => [new HttpToolSource(http, time)];

    /// <summary>True where the directory holds an embedded store.</summary>
    public static bool HasSqlite(string directory) => SqliteDatabase.Exists(directory);

    /// <summary>The embedded store, open.</summary>
    /// <exception cref="Core.FaultException">The database file cannot be opened.</exception>
    public static ThreadStore OpenSqlite(SqliteSettings settings)
    {
        var store = new SqliteCheckpointStore(settings);
        return new ThreadStore(store, store, new SqliteEventLog(store.Access), store) { Budgets = new SqliteBudgetLedger(store.Access) };
    }

    /// <summary>The embedded store, open, with the queue and the outbox that make it one for workers: it keeps leases.</summary>
    /// <exception cref="Core.FaultException">The database file cannot be opened.</exception>
    public static ThreadStore OpenSqliteService(SqliteSettings settings, TimeProvider time)
    {
        var access = new SqliteAccess(settings, time);
        var store = new SqliteCheckpointStore(access);
        return new ThreadStore(store, store, new SqliteEventLog(access), access)
        {
            Queue = new SqliteRunQueue(access),
            Outbox = new SqliteOutbox(access),
            Budgets = new SqliteBudgetLedger(access),
        };
    }

    /// <summary>The bus as a table of the embedded store. It uses the store's file, which stays the store's to close: last.</summary>
    /// <param name="store">As <see cref="OpenSqliteService"/> opened it.</param>
    /// <param name="bus">How it keeps and hands out messages.</param>
    public static IEventBus OpenSqliteBus(ThreadStore store, BusSettings bus) => store.Owner is SqliteAccess access
        ? new SqliteEventBus(access, bus)
        : throw new ArgumentException("the store is not the embedded one with a queue", nameof(store));

    /// <summary>True where the settings name a server.</summary>
    public static bool IsNamed(PostgresSettings settings) => settings.IsNamed;

    /// <summary>Which server that is, without its password.</summary>
    public static string Describe(PostgresSettings settings)
    {
        var options = PostgresConnections.Options(settings);
        return $"PostgreSQL at {options.Host}:{options.Port}, database {options.Database}, schema {settings.Schema}";
    }

    /// <summary>The PostgreSQL store, its schema checked.</summary>
    /// <exception cref="Core.FaultException">The server cannot be reached, or its schema is older than the program.</exception>
    public static async Task<ThreadStore> OpenPostgresAsync(
        PostgresSettings settings, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        await AskAsync(settings, time, loggers, async (migrator, cancel) =>
        {
            await migrator.CheckAsync(cancel);
            return true;
        }, cancellationToken);
        var outages = new OutageLog(time, loggers.CreateLogger<OutageLog>());
        var access = Access(settings, time, outages);
        var store = new PostgresCheckpointStore(access, settings.Committers);
        // Leases have connections of their own, those who submit and ask others: neither a hundred threads being read nor a thousand callers may keep a lease from being renewed.
        var queue = new PostgresRunQueue(
            Access(settings with { MaxPoolSize = 0, Committers = 1 }, time, outages), Access(settings with { MaxPoolSize = 8, Committers = 1 }, time, outages), settings.Schema);
        var relay = Access(settings with { MaxPoolSize = 0, Committers = 1 }, time, outages);
        // So have those who watch: however many they are, and however long their reads, nobody else waits for them, and where they crowd it is no outage.
        var watchers = Access(
            settings with { MaxPoolSize = 0, Committers = 1, PatienceSeconds = WatcherPatience }, time, new OutageLog(time, NullLogger.Instance), PostgresConnections.NoBitmaps);
        var watched = new PostgresCheckpointStore(watchers, committers: 1);
        // And budgets: who reserves may wait for a budget's row.
        var budgets = new PostgresBudgetLedger(Access(settings with { MaxPoolSize = 8, Committers = 1 }, time, outages));
        return new ThreadStore(store, store, new PostgresEventLog(watchers), new PostgresParts(queue, store, relay, watched, budgets))
        {
            Budgets = budgets,
            Watched = new ThreadReads(watched, watched),
            Queue = queue,
            Outbox = new PostgresOutbox(relay),
        };
    }

    /// <summary>The bus as a table of the PostgreSQL store, whose schema must be there.</summary>
    public static IEventBus OpenPostgresBus(PostgresSettings settings, BusSettings bus, TimeProvider time, ILoggerFactory loggers) => new PostgresEventBus(
        Access(settings with { MaxPoolSize = 0, Committers = 1 }, time, new OutageLog(time, loggers.CreateLogger<OutageLog>())), settings.Schema, bus);

    /// <summary>True where the settings name a server.</summary>
    public static bool IsNamed(NatsSettings settings) => settings.IsNamed;

    /// <summary>Which servers those are, without their secrets.</summary>
    /// <exception cref="FaultException">The URL is none.</exception>
    public static string Describe(NatsSettings settings) => $"NATS at {NatsEventBus.Describe(settings)}";

    /// <summary>The bus on NATS JetStream; it connects at its first use.</summary>
    /// <param name="isClient">It makes and changes no streams.</param>
    public static IEventBus OpenNatsBus(NatsSettings settings, BusSettings bus, bool isClient, TimeProvider time, ILoggerFactory loggers) =>
        new NatsEventBus(settings, bus, isClient, time, loggers);

    /// <summary>True where the settings name a server.</summary>
    public static bool IsNamed(RedisSettings settings) => settings.IsNamed;

    /// <summary>Which server that is, without its secrets.</summary>
    /// <exception cref="FaultException">The URL is none.</exception>
    public static string Describe(RedisSettings settings) => $"Redis at {RedisEventTransport.Describe(settings)}";

    /// <summary>Live events over a Redis-compatible server; it connects at its first use.</summary>
    /// <exception cref="FaultException">The URL is none.</exception>
    public static IEventTransport OpenRedisTransport(RedisSettings settings, StreamSettings stream, TimeProvider time, ILoggerFactory loggers) =>
        new RedisEventTransport(settings, stream, time, loggers);

    /// <summary>Brings the PostgreSQL schema to a version, the newest where null; returns the versions before, after and newest.</summary>
    /// <exception cref="Core.FaultException">The server cannot be reached, or there is no such version.</exception>
    public static async Task<(int Before, int After, int Newest)> MigratePostgresAsync(
        PostgresSettings settings, int? version, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var (before, after) = await AskAsync(settings, time, loggers, (migrator, cancel) => migrator.MigrateAsync(version, cancel), cancellationToken);
        return (before, after, PostgresMigrator.All.Count);
    }

    /// <summary>The version of the PostgreSQL schema, and the newest that this program knows.</summary>
    public static async Task<(int Version, int Newest)> PostgresVersionAsync(
        PostgresSettings settings, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var found = await AskAsync(settings, time, loggers, (migrator, cancel) => migrator.VersionAsync(cancel), cancellationToken);
        return (found, PostgresMigrator.All.Count);
    }

    /// <summary>Before anything runs: nobody waits for the server yet, so an outage is the caller's to tell.</summary>
    private static async Task<T> AskAsync<T>(
        PostgresSettings settings, TimeProvider time, ILoggerFactory loggers, Func<PostgresMigrator, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        await using var access = Access(settings, time, new OutageLog(time, NullLogger.Instance));
        try
        {
            return await ask(new PostgresMigrator(access, settings.Schema, loggers.CreateLogger<PostgresMigrator>()), cancellationToken);
        }
        catch (FaultException fault)
        {
            throw PostgresFaults.AtStart(fault);
        }
    }

    private static PostgresAccess Access(PostgresSettings settings, TimeProvider time, OutageLog outages, string moreOptions = "") => new(
        PostgresConnections.Open(settings, moreOptions), TimeSpan.FromSeconds(settings.PatienceSeconds), time, outages);

    private sealed record PostgresParts(PostgresRunQueue Queue, PostgresCheckpointStore Store, PostgresAccess Relay, PostgresCheckpointStore Watched, PostgresBudgetLedger Budgets) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Store.DisposeAsync();
            await Queue.DisposeAsync();
            await Relay.DisposeAsync();
            await Watched.DisposeAsync();
            await Budgets.DisposeAsync();
        }
    }
}

/// <summary>Where threads are read.</summary>
public sealed record ThreadReads(ICheckpointStore Checkpoints, IRunStore Runs);

/// <summary>A store, by its faces, and what closes it.</summary>
public sealed record ThreadStore(ICheckpointStore Checkpoints, IRunStore Runs, IEventLog Log, IAsyncDisposable Owner) : IAsyncDisposable
{
    /// <summary>The same threads, to be read by those who watch: in nobody's way.</summary>
    public ThreadReads Watched { get; init; } = new(Checkpoints, Runs);

    /// <summary>The budgets that its threads share.</summary>
    public required IBudgetLedger Budgets { get; init; }

    /// <summary>The queue of runs for workers, and the leases; null where the store is one process's own.</summary>
    public IRunQueue? Queue { get; init; }

    /// <summary>The outcomes of submitted runs; null where there is no queue.</summary>
    public IOutbox? Outbox { get; init; }

    public ValueTask DisposeAsync() => Owner.DisposeAsync();
}
