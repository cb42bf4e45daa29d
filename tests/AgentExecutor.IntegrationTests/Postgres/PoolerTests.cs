using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>The program behind PgBouncer, with the queue and the bus in tables.</summary>
public sealed class PoolerTests(PostgresFixture postgres)
{
    private const int Jobs = 20;

    private static int _schemas;

    [Theory]
    [InlineData("default_pool_size = 20")]
    [InlineData("ignore_startup_parameters = options,search_path,extra_float_digits")]
    [InlineData("default_pool_size = 2")]
    [InlineData("default_pool_size = 1")]
    public async Task Jobs_complete_exactly_once_through_a_pooler_in_transaction_mode(string line)
    {
        var (server, settings) = (await postgres.ServerAsync(), await SettingsAsync());
        await using var bouncer = await PgBouncerServer.StartAsync(server, "transaction", line);
        await using var fleet = Fleet.Start(bouncer.Through(settings), server, workers: 0);
        var migrated = await fleet.Program.RunAsync("migrate");
        Assert.True(migrated.ExitCode == 0, migrated.Error);
        var worker = fleet.StartWorker();

        await PublishJobsAsync(settings, CountingAgents.Team(fleet.Tool.Url, delayMs: 10));
        var submitted = await fleet.Program.RunAsync(
            "submit",
            fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url, delayMs: 10)),
            "--input",
            "count",
            "--wait"
        );

        Assert.Equal((0, CountingAgents.Answer + "\n"), (submitted.ExitCode, submitted.Output));
        await fleet.AssertAllEndedOnceAsync(Jobs + 1);
        await AssertResultsAsync(fleet, Jobs + 1);
        Assert.All(fleet.Tool.Calls, static call => Assert.Equal(1, call.Value));
        Assert.Single(worker.Lines, static line => line.Contains("\"event_id\":1150", StringComparison.Ordinal));
        Assert.DoesNotContain(worker.Lines, static line => line.Contains("PostgreSQL is not available", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Jobs_complete_exactly_once_when_the_pooler_is_killed_and_started_again()
    {
        var (server, settings) = (await postgres.ServerAsync(), await postgres.SchemaAsync());
        await using var bouncer = await PgBouncerServer.StartAsync(server, "transaction", "default_pool_size = 4");
        await using var fleet = Fleet.Start(bouncer.Through(settings), server, workers: 1);
        await PublishJobsAsync(settings, CountingAgents.Team(fleet.Tool.Url, delayMs: 100));

        for (var outage = 1; outage <= 2; outage++)
        {
            await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM checkpoints") > 30 * outage);
            await bouncer.KillAsync();
            await Wait.UntilAsync(() =>
                fleet.Workers[0].Lines.Count(static line => line.Contains("PostgreSQL is not available", StringComparison.Ordinal))
                >= outage
            );
            await bouncer.StartAgainAsync();
        }

        await fleet.AssertAllEndedOnceAsync(Jobs);
        await AssertResultsAsync(fleet, Jobs);
        Assert.Single(fleet.Workers[0].Lines, static line => line.Contains("\"event_id\":1150", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_pooler_in_statement_mode_is_refused_with_the_remedy()
    {
        var (server, settings) = (await postgres.ServerAsync(), await postgres.SchemaAsync());
        await using var bouncer = await PgBouncerServer.StartAsync(server, "statement");
        using var program = new AgentExecutorProgram { Postgres = bouncer.Through(settings) };
        program.Variables["PORT"] = "0";
        using var empty = new AgentExecutorProgram { Postgres = bouncer.Through(await SettingsAsync()) };

        ProgramResult[] refused =
        [
            await program.RunAsync("migrate"),
            await program.RunAsync("threads"),
            await program.RunAsync("serve"),
            await empty.RunScriptAsync("scripts/ci/run-migrations.sh"),
        ];

        Assert.All(
            refused,
            static result =>
            {
                Assert.Equal(2, result.ExitCode);
                Assert.Contains("pool_mode = statement", result.Error + result.Output, StringComparison.Ordinal);
                Assert.Contains("set pool_mode = transaction", result.Error + result.Output, StringComparison.Ordinal);
            }
        );
    }

    [Theory]
    [InlineData("default_pool_size = 1")]
    [InlineData("ignore_startup_parameters = options,search_path,extra_float_digits")]
    public async Task The_migration_script_works_through_a_pooler(string line)
    {
        var (server, settings) = (await postgres.ServerAsync(), await SettingsAsync());
        await using var bouncer = await PgBouncerServer.StartAsync(server, "transaction", line);
        using var program = new AgentExecutorProgram { Postgres = bouncer.Through(settings) };
        const string Script = "scripts/ci/run-migrations.sh";
        var newest = PostgresMigrator.All.Count;

        var results = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => program.RunScriptAsync(Script)));
        var status = await program.RunAsync("migrate", "--status");
        var down = await program.RunScriptAsync(Script, "--to", "0");

        Assert.All(results, static result => Assert.True(result.ExitCode == 0, result.Error));
        Assert.Equal($"schema {settings.Schema}: version {newest} of {newest}\n", status.Output);
        Assert.True(down.ExitCode == 0, down.Error);
        // The script changed no setting of the shared session.
        Assert.Equal("notice", await ThroughAsync(bouncer, "SHOW client_min_messages"));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private async Task<PostgresSettings> SettingsAsync() =>
        PostgresFixture.Settings(await postgres.ServerAsync()) with
        {
            Schema = $"pooled{Environment.ProcessId}_{Interlocked.Increment(ref _schemas)}",
        };

    /// <summary>Publishes all jobs at once, without the pooler.</summary>
    private static async Task PublishJobsAsync(PostgresSettings settings, string definition)
    {
        await using var bus = AdapterCatalog.OpenPostgresBus(settings, new BusSettings(), TimeProvider.System, NullLoggerFactory.Instance);
        await bus.PublishAsync(
            [
                .. Enumerable
                    .Range(0, Jobs)
                    .Select(i => new BusMessage("agent.execute.test", Encoding.UTF8.GetBytes(JobBus.Job($"j{i}", definition)))
                    {
                        Id = $"j{i}",
                    }),
            ],
            Cancel
        );
    }

    /// <summary>Waits until the results are published, and checks that each was published once.</summary>
    private static async Task AssertResultsAsync(Fleet fleet, int runs)
    {
        await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0);
        Assert.Equal(runs, await fleet.CountAsync("SELECT count(*) FROM messages WHERE stream = 'results'"));
        Assert.Equal(
            runs,
            await fleet.CountAsync(
                "SELECT count(DISTINCT message_id) FROM messages WHERE stream = 'results' AND subject = 'agent.status.completed'"
            )
        );
        Assert.Equal(0, await fleet.CountAsync("SELECT count(*) FROM messages WHERE stream = 'deadletters'"));
    }

    private static async Task<string> ThroughAsync(PgBouncerServer bouncer, string sql)
    {
        await using var connection = new Npgsql.NpgsqlConnection(
            FormattableString.Invariant(
                $"Host=127.0.0.1;Port={bouncer.Port};Username=postgres;Database=postgres;Pooling=false;No Reset On Close=true"
            )
        );
        await connection.OpenAsync(Cancel);
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        return (string)(await command.ExecuteScalarAsync(Cancel))!;
    }
}
