using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>One server for all tests, started by the first that needs it. Each test has its own schema.</summary>
public sealed class PostgresFixture : IAsyncDisposable
{
    /// <summary>No test of this server needs data to survive a crash of the machine, and flushing to disk takes much of the time.</summary>
    private readonly Lazy<Task<PostgresServer>> _server = new(() => PostgresServer.StartAsync("fsync=off"));

    private int _schemas;

    public Task<PostgresServer> ServerAsync()
    {
        SkipWithout();
        return _server.Value;
    }

    /// <summary>Skips the test if PostgreSQL is missing. With <c>CI</c> set, the test fails instead.</summary>
    public static void SkipWithout()
    {
        if (PostgresServer.Missing is { } reason)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariables().Contains("CI"), reason);
            Assert.Fail(reason);
        }
    }

    /// <summary>Settings with a new schema of the newest version.</summary>
    public async Task<PostgresSettings> SchemaAsync()
    {
        var settings = Settings(await ServerAsync()) with { Schema = $"t{Environment.ProcessId}_{Interlocked.Increment(ref _schemas)}" };
        await AdapterCatalog.MigratePostgresAsync(
            settings,
            null,
            TimeProvider.System,
            NullLoggerFactory.Instance,
            TestContext.Current.CancellationToken
        );
        return settings;
    }

    public static PostgresSettings Settings(PostgresServer server)
    {
        var options = new NpgsqlConnectionStringBuilder(server.ConnectionString);
        return new PostgresSettings
        {
            Host = options.Host!,
            Port = options.Port,
            Db = options.Database!,
            User = options.Username!,
            Password = new(options.Password),
            MaxPoolSize = 6,
        };
    }

    public static Task<ThreadStore> OpenAsync(PostgresSettings settings) =>
        AdapterCatalog.OpenPostgresAsync(settings, TimeProvider.System, NullLoggerFactory.Instance, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated)
        {
            await (await _server.Value).DisposeAsync();
        }
    }
}
