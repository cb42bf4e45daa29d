using System.Globalization;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Queues;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace AgentExecutor.Benchmarks;

/// <summary>A store to measure, with the server that it requires.</summary>
internal abstract class BenchStore : IAsyncDisposable
{
    public abstract ICheckpointStore Checkpoints { get; }

    public virtual IRunQueue? Queue => null;

    /// <summary>The size of all threads in bytes, including indexes; NaN if the store has none.</summary>
    public virtual Task<double> SizeAsync() => Task.FromResult(double.NaN);

    public abstract ValueTask DisposeAsync();

    /// <param name="hasQueue">True to use the queue even if the store does not require it. The store then keeps leases.</param>
    public static async Task<BenchStore> OpenAsync(string name, bool hasQueue = false) =>
        name switch
        {
            "memory" => new Memory(hasQueue),
            "sqlite" => new Sqlite(hasQueue),
            "postgres" => await Postgres.StartAsync(),
            _ => throw new ArgumentException($"there is no store '{name}': memory, sqlite or postgres"),
        };

    private sealed class Memory : BenchStore
    {
        private readonly InMemoryCheckpointStore _store = new();
        private readonly InMemoryRunQueue? _queue;

        public Memory(bool hasQueue) => _queue = hasQueue ? new InMemoryRunQueue(_store, TimeProvider.System) : null;

        public override ICheckpointStore Checkpoints => _store;

        public override IRunQueue? Queue => _queue;

        public override ValueTask DisposeAsync()
        {
            _queue?.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Sqlite : BenchStore
    {
        private readonly string _directory = Directory.CreateTempSubdirectory("agent-executor-bench-").FullName;
        private readonly ThreadStore _store;

        public Sqlite(bool hasQueue)
        {
            var settings = new SqliteSettings { Directory = _directory };
            _store = hasQueue ? AdapterCatalog.OpenSqliteService(settings, TimeProvider.System) : AdapterCatalog.OpenSqlite(settings);
        }

        public override ICheckpointStore Checkpoints => _store.Checkpoints;

        public override IRunQueue? Queue => _store.Queue;

        /// <summary>The size of the database file after a checkpoint of its log.</summary>
        public override async Task<double> SizeAsync()
        {
            var file = Path.Combine(_directory, "agent-executor.db");
            await using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={file};Pooling=False");
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
            await command.ExecuteNonQueryAsync();
            return new FileInfo(file).Length;
        }

        public override async ValueTask DisposeAsync()
        {
            await _store.DisposeAsync();
            Directory.Delete(_directory, recursive: true);
        }
    }

    /// <summary>A server with default settings, including fsync, and a schema for this run.</summary>
    internal sealed class Postgres : BenchStore
    {
        private readonly PostgresServer _server;
        private readonly ThreadStore _store;
        private readonly NpgsqlDataSource _source;

        private Postgres(PostgresServer server, PostgresSettings settings, ThreadStore store)
        {
            (_server, Settings, _store) = (server, settings, store);
            _source = NpgsqlDataSource.Create(server.ConnectionString + ";Command Timeout=0;SearchPath=" + settings.Schema);
        }

        public PostgresSettings Settings { get; }

        public override ICheckpointStore Checkpoints => _store.Checkpoints;

        public override IRunQueue Queue => _store.Queue!;

        public static async Task<Postgres> StartAsync()
        {
            var server = await PostgresServer.StartAsync();
            var options = new NpgsqlConnectionStringBuilder(server.ConnectionString);
            var settings = new PostgresSettings
            {
                Host = options.Host!,
                Port = options.Port,
                Db = options.Database!,
                User = options.Username!,
                Password = new(options.Password),
                Schema = $"bench_{Environment.ProcessId}",
            };
            await AdapterCatalog.MigratePostgresAsync(
                settings,
                null,
                TimeProvider.System,
                NullLoggerFactory.Instance,
                CancellationToken.None
            );
            var store = await AdapterCatalog.OpenPostgresAsync(
                settings,
                TimeProvider.System,
                NullLoggerFactory.Instance,
                CancellationToken.None
            );
            return new Postgres(server, settings, store);
        }

        /// <summary>The size of tables and indexes after a vacuum, as autovacuum does from time to time.</summary>
        public override async Task<double> SizeAsync()
        {
            await ExecuteAsync("VACUUM ANALYZE");
            return await QueryAsync(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c "
                    + $"WHERE relnamespace = '{Settings.Schema}'::regnamespace AND relkind = 'r'"
            );
        }

        /// <summary>The rows inserted and updated in the schema, and the transactions committed, as counted by the server.</summary>
        public async Task<(double Rows, double Transactions)> CountersAsync()
        {
            await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System); // idle sessions report their statistics once a second
            return (
                await QueryAsync($"SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables WHERE schemaname = '{Settings.Schema}'"),
                await QueryAsync("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            );
        }

        public async Task ExecuteAsync(string sql)
        {
            await using var command = _source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }

        /// <summary>Copies rows, in COPY's text format, into a table.</summary>
        public async Task CopyAsync(string table, string columns, IEnumerable<string> rows)
        {
            await using var connection = await _source.OpenConnectionAsync();
            await using var writer = await connection.BeginTextImportAsync($"COPY {table} ({columns}) FROM STDIN");
            foreach (var row in rows)
            {
                await writer.WriteAsync(row);
                await writer.WriteAsync('\n');
            }
        }

        public async Task<double> QueryAsync(string sql)
        {
            await using var command = _source.CreateCommand(sql);
            return Convert.ToDouble(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
        }

        public override async ValueTask DisposeAsync()
        {
            await _store.DisposeAsync();
            await ExecuteAsync($"DROP SCHEMA {Settings.Schema} CASCADE");
            await _source.DisposeAsync();
            await _server.DisposeAsync();
        }
    }
}
