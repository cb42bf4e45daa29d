using System.Globalization;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Workers;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace AgentExecutor.Benchmarks;

/// <summary>A store to measure, with the server that it needs.</summary>
internal abstract class BenchStore : IAsyncDisposable
{
    public abstract ICheckpointStore Checkpoints { get; }

    public virtual IRunQueue? Queue => null;

    /// <summary>Bytes that all threads take, indexes included; NaN where that means nothing.</summary>
    public virtual Task<double> SizeAsync() => Task.FromResult(double.NaN);

    public abstract ValueTask DisposeAsync();

    public static async Task<BenchStore> OpenAsync(string name) => name switch
    {
        "memory" => new Memory(),
        "sqlite" => new Sqlite(),
        "postgres" => await Postgres.StartAsync(),
        _ => throw new ArgumentException($"there is no store '{name}': memory, sqlite or postgres"),
    };

    private sealed class Memory : BenchStore
    {
        public override ICheckpointStore Checkpoints { get; } = new InMemoryCheckpointStore();

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Sqlite : BenchStore
    {
        private readonly string _directory = Directory.CreateTempSubdirectory("agent-executor-bench-").FullName;
        private readonly ThreadStore _store;

        public Sqlite() => _store = AdapterCatalog.OpenSqlite(new SqliteSettings { Directory = _directory });

        public override ICheckpointStore Checkpoints => _store.Checkpoints;

        /// <summary>The database file after its log was written back.</summary>
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

    /// <summary>A server with default settings, fsync included, in a schema made for this run.</summary>
    internal sealed class Postgres : BenchStore
    {
        private readonly PostgresServer _server;
        private readonly ThreadStore _store;
        private readonly NpgsqlDataSource _source;

        private Postgres(PostgresServer server, PostgresSettings settings, ThreadStore store)
        {
            (_server, Settings, _store) = (server, settings, store);
            _source = NpgsqlDataSource.Create(server.ConnectionString + ";SearchPath=" + settings.Schema);
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
            await AdapterCatalog.MigratePostgresAsync(settings, null, TimeProvider.System, NullLoggerFactory.Instance, CancellationToken.None);
            var store = await AdapterCatalog.OpenPostgresAsync(settings, TimeProvider.System, NullLoggerFactory.Instance, CancellationToken.None);
            return new Postgres(server, settings, store);
        }

        /// <summary>Tables and indexes, after what is dead was removed, as autovacuum does in time.</summary>
        public override async Task<double> SizeAsync()
        {
            await ExecuteAsync("VACUUM ANALYZE");
            return await QueryAsync($"SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE relnamespace = '{Settings.Schema}'::regnamespace AND relkind = 'r'");
        }

        /// <summary>Rows inserted and updated so far in our tables, and transactions committed, as the server counts them.</summary>
        public async Task<(double Rows, double Transactions)> CountersAsync()
        {
            await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System); // sessions report what they did once a second, when idle
            return (
                await QueryAsync($"SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables WHERE schemaname = '{Settings.Schema}'"),
                await QueryAsync("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"));
        }

        public async Task ExecuteAsync(string sql)
        {
            await using var command = _source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
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
