using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>
/// An undetected pooler: prepared statements of a session are suddenly missing (SQLSTATE 26000), or already exist
/// (42P05). Each test has its own database, because a process remembers for each database that a pooler was found.
/// </summary>
public sealed class LostStatementTests(PostgresFixture postgres) : IAsyncLifetime
{
    /// <summary>Removes all prepared statements of the session.</summary>
    private const string Lost = "DEALLOCATE ALL;";

    /// <summary>Uses the names that the driver will choose next.</summary>
    private const string Taken = """
        FOR i IN 0..60 LOOP
            IF NOT EXISTS (SELECT 1 FROM pg_prepared_statements WHERE name = '_auto' || i) THEN
              EXECUTE format('PREPARE _auto%s AS SELECT 1', i); END IF;
        END LOOP;
        """;

    private static int _databases;

    private readonly LogLines _log = new();
    private PostgresServer _server = null!;
    private PostgresSettings _settings = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await postgres.ServerAsync();
        _settings = PostgresFixture.Settings(_server) with
        {
            Db = $"lost{Environment.ProcessId}_{Interlocked.Increment(ref _databases)}",
            MaxPoolSize = 0,
            Committers = 1,
        };
        await _server.ExecuteAsync($"CREATE DATABASE {_settings.Db}");
        await AdapterCatalog.MigratePostgresAsync(_settings, null, TimeProvider.System, NullLoggerFactory.Instance, Cancel);
    }

    public async ValueTask DisposeAsync() => await _server.ExecuteAsync($"DROP DATABASE {_settings.Db} WITH (FORCE)");

    [Theory]
    [InlineData(Lost, PostgresErrorCodes.InvalidSqlStatementName)]
    [InlineData(Taken, PostgresErrorCodes.DuplicatePreparedStatement)]
    public async Task A_statement_that_meets_a_pooler_is_repeated_unprepared_and_the_process_switches_once(string trouble, string sqlState)
    {
        await using var access = Access();
        await SpoilAsync(access, trouble);
        Assert.False(access.Source.IsPooled);

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(6, await access.RunAsync(static (connection, cancel) => SumAsync(connection, 6, cancel), Cancel, TimeSpan.Zero));
            Assert.Equal(9, await access.RunAsync(static (connection, cancel) => SumAsync(connection, 9, cancel), Cancel, TimeSpan.Zero));
        }

        Assert.True(access.Source.IsPooled);
        AssertSwitchedOnce(sqlState);
    }

    [Theory]
    [InlineData(Lost, PostgresErrorCodes.InvalidSqlStatementName)]
    [InlineData(Taken, PostgresErrorCodes.DuplicatePreparedStatement)]
    public async Task Steps_that_meet_a_pooler_are_committed(string trouble, string sqlState)
    {
        await using var access = Access();
        await using var store = new PostgresCheckpointStore(access, committers: 1);
        await SpoilCommitsAsync(trouble);

        for (var step = 0; step < 8; step++)
        {
            await store.CommitAsync(Step("t", step), Cancel);
        }

        Assert.Equal("c7", (await store.LoadAsync("t", "", null, Cancel))!.Checkpoint.Id);
        Assert.Equal(
            8,
            await access.RunAsync(
                static async (connection, cancel) =>
                {
                    await using var command = connection.With("SELECT count(*) FROM $schema.checkpoints");
                    return (long)(await command.ExecuteScalarAsync(cancel))!;
                },
                Cancel
            )
        );
        AssertSwitchedOnce(sqlState);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private PostgresAccess Access() =>
        new(new PostgresSource(_settings, _log), TimeSpan.FromSeconds(10), TimeProvider.System, new OutageLog(TimeProvider.System, _log));

    private static async Task<int> SumAsync(PostgresConnection connection, int sum, CancellationToken cancellationToken)
    {
        await using var command = sum == 6 ? connection.With("SELECT $1 + 1 + 2", 3) : connection.With("SELECT $1 + 4", 5);
        return (int)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>
    /// Prepares a statement in the session of the first connection of the pool, and then executes the disturbance in that session.
    /// </summary>
    private static async Task SpoilAsync(PostgresAccess access, string trouble) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                for (var i = 0; i < 3; i++)
                {
                    Assert.Equal(6, await SumAsync(connection, 6, cancel));
                }
                await connection.RunScriptAsync($"DO $do$ BEGIN {trouble} END $do$", cancel);
                return true;
            },
            Cancel
        );

    /// <summary>Executes the disturbance in the session of the committer in the middle of each commit, with a trigger.</summary>
    private async Task SpoilCommitsAsync(string trouble)
    {
        await using var other = Access();
        await other.RunAsync(
            async (connection, cancel) =>
            {
                await connection.RunScriptAsync(
                    $"""
                    CREATE FUNCTION $schema.spoil() RETURNS trigger LANGUAGE plpgsql AS $do$ BEGIN {trouble} RETURN NULL; END $do$;
                    CREATE TRIGGER spoil AFTER INSERT ON $schema.checkpoints FOR EACH STATEMENT EXECUTE FUNCTION $schema.spoil()
                    """,
                    cancel
                );
                return true;
            },
            Cancel
        );
    }

    private static StepCommit Step(string thread, int step) =>
        new()
        {
            ThreadId = thread,
            Fence = 1,
            Run = new Run
            {
                ThreadId = thread,
                RunId = "r",
                DefinitionHash = "h",
                Status = RunStatus.Running,
                Fence = 1,
            },
            Checkpoint = new StoredCheckpoint
            {
                ThreadId = thread,
                Namespace = "",
                Id = $"c{step}",
                Due = "[]"u8.ToArray(),
            },
        };

    private void AssertSwitchedOnce(string sqlState)
    {
        Assert.Contains(
            $"({sqlState})",
            Assert.Single(_log.Lines, static line => line.StartsWith("1150 ", StringComparison.Ordinal)),
            StringComparison.Ordinal
        );
        Assert.DoesNotContain(_log.Lines, static line => line.StartsWith("1100 ", StringComparison.Ordinal)); // This is not an outage.
    }
}
