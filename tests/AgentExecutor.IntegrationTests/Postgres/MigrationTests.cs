using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>Migrations with the program, and with psql alone.</summary>
public sealed class MigrationTests(PostgresFixture postgres)
{
    private static readonly int Newest = PostgresMigrator.All.Count;

    private static int _schemas;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Migrations_can_be_applied_undone_and_applied_again(bool byScript)
    {
        var settings = await SettingsAsync();

        Assert.Equal((0, $"schema {settings.Schema}: version 0 of {Newest}"), await RunAsync(settings, byScript, "--status"));
        Assert.Equal((0, $"schema {settings.Schema}: from version 0 to {Newest} of {Newest}"), await RunAsync(settings, byScript));
        Assert.Equal((0, $"schema {settings.Schema}: version {Newest} of {Newest}, nothing to do"), await RunAsync(settings, byScript));
        Assert.Equal(
            (0, $"schema {settings.Schema}: from version {Newest} to 0 of {Newest}"),
            await RunAsync(settings, byScript, "--to", "0")
        );
        Assert.Equal(
            1,
            await (await postgres.ServerAsync()).QueryAsync<long>($"SELECT count(*) FROM pg_tables WHERE schemaname = '{settings.Schema}'")
        ); // only the table of versions
        Assert.Equal((0, $"schema {settings.Schema}: from version 0 to 1 of {Newest}"), await RunAsync(settings, byScript, "--to", "1"));
        Assert.Equal((0, $"schema {settings.Schema}: from version 1 to {Newest} of {Newest}"), await RunAsync(settings, byScript));
        Assert.Equal(2, (await RunAsync(settings, byScript, "--to", "99")).ExitCode);
    }

    [Fact]
    public void Undoing_migrations_lists_everything_that_is_lost()
    {
        var deletion = PostgresMigrator.All.Single(it => it.Name == "deletion").Version;
        var retention = PostgresMigrator.All.Single(it => it.Name == "retention").Version;

        var losses = Assert.Single(PostgresMigrator.LossesOf(deletion, deletion - 1));
        Assert.Contains("rows of the table threads,", losses, StringComparison.Ordinal);
        Assert.EndsWith("the column threads.deletion_started_at, the column runs.finished_at", losses, StringComparison.Ordinal);
        Assert.EndsWith(
            ": the table upkeep with all its rows, the column definitions.retired_at, the column definitions.checked_at",
            Assert.Single(PostgresMigrator.LossesOf(retention, retention - 1)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task The_program_and_the_script_create_the_same_schema()
    {
        var (byProgram, byScript) = (await SettingsAsync(), await SettingsAsync());
        await RunAsync(byProgram, byScript: false);
        await RunAsync(byScript, byScript: true);

        Assert.Equal(await ColumnsAsync(byProgram), await ColumnsAsync(byScript));
    }

    [Fact]
    public async Task Concurrent_programs_apply_each_migration_once()
    {
        var settings = await SettingsAsync();

        var results = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => RunAsync(settings, byScript: i % 2 == 0)));

        Assert.All(results, result => Assert.Equal(0, result.ExitCode));
        Assert.Equal(
            Newest,
            await (await postgres.ServerAsync()).QueryAsync<long>($"SELECT count(*) FROM {settings.Schema}.schema_migrations")
        );
    }

    [Fact]
    public async Task A_migration_that_fails_leaves_nothing_behind()
    {
        var settings = await SettingsAsync();
        var directory = Directory.CreateTempSubdirectory("agent-executor-migrations-").FullName;
        File.WriteAllText(Path.Combine(directory, "0001_half.up.sql"), "CREATE TABLE half (x int); SELECT nonsense;");

        var (code, _) = await RunAsync(settings, byScript: true, variables: ("MIGRATIONS_DIR", directory));

        Assert.Equal(1, code);
        Assert.Equal(
            0,
            await (await postgres.ServerAsync()).QueryAsync<long>($"SELECT count(*) FROM pg_tables WHERE schemaname = '{settings.Schema}'")
        );
        Directory.Delete(directory, recursive: true);
    }

    [Theory]
    [InlineData("LATIN1", true)]
    [InlineData("LATIN1", false)]
    [InlineData("SQL_ASCII", true)]
    [InlineData("SQL_ASCII", false)]
    public async Task A_database_with_another_encoding_is_refused(string encoding, bool byScript)
    {
        var server = await postgres.ServerAsync();
        var settings = await SettingsAsync();
        settings = settings with { Db = $"db_{settings.Schema}" };
        await server.ExecuteAsync($"CREATE DATABASE {settings.Db} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        using var program = new AgentExecutorProgram { Postgres = settings };

        var result = byScript ? await program.RunScriptAsync("scripts/ci/run-migrations.sh") : await program.RunAsync("migrate");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"the encoding {encoding}", result.Error, StringComparison.Ordinal);
        Assert.Contains("ENCODING 'UTF8' TEMPLATE template0", result.Error, StringComparison.Ordinal);
        // Nothing was created.
        Assert.Contains("version 0 of", (await program.RunAsync("migrate", "--status")).Output, StringComparison.Ordinal);
        await server.ExecuteAsync($"DROP DATABASE {settings.Db}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_schema_may_be_named_like_a_keyword(bool byScript)
    {
        var settings = (await SettingsAsync()) with { Schema = byScript ? "order" : "user" };

        Assert.Equal((0, $"schema {settings.Schema}: from version 0 to {Newest} of {Newest}"), await RunAsync(settings, byScript));
        Assert.Equal((0, $"schema {settings.Schema}: version {Newest} of {Newest}"), await RunAsync(settings, byScript, "--status"));
        Assert.Equal(
            (0, $"schema {settings.Schema}: from version {Newest} to 0 of {Newest}"),
            await RunAsync(settings, byScript, "--to", "0")
        );
    }

    [Fact]
    public async Task The_script_reports_what_is_missing()
    {
        var settings = await SettingsAsync();

        Assert.Equal(2, (await RunAsync(settings with { Schema = "No; DROP" }, byScript: true)).ExitCode);
        Assert.Equal(2, (await RunAsync(settings, byScript: true, "--nonsense")).ExitCode);
        Assert.Equal(5, (await RunAsync(settings with { Port = 1 }, byScript: true, variables: ("POSTGRES_WAIT_SECONDS", "0"))).ExitCode);
    }

    [Fact]
    public async Task The_program_works_on_a_newer_schema()
    {
        var settings = await postgres.SchemaAsync();
        await (await postgres.ServerAsync()).ExecuteAsync(
            $"INSERT INTO {settings.Schema}.schema_migrations (version, name) VALUES ({Newest + 1}, 'next');"
                + $"ALTER TABLE {settings.Schema}.threads ADD COLUMN next_idea text DEFAULT 'x'"
        );
        await using var store = await PostgresFixture.OpenAsync(settings);

        await store.Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                Run = new Run
                {
                    ThreadId = "t",
                    RunId = "r",
                    DefinitionHash = "h",
                    Status = RunStatus.Running,
                    Fence = 1,
                },
                Checkpoint = new StoredCheckpoint
                {
                    ThreadId = "t",
                    Namespace = "",
                    Id = "c",
                    Due = "[]"u8.ToArray(),
                },
            },
            Cancel
        );

        Assert.Equal("c", (await store.Checkpoints.LoadAsync("t", "", null, Cancel))!.Checkpoint.Id);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private async Task<PostgresSettings> SettingsAsync() =>
        PostgresFixture.Settings(await postgres.ServerAsync()) with
        {
            Schema = $"m{Environment.ProcessId}_{Interlocked.Increment(ref _schemas)}",
        };

    private async Task<List<string>> ColumnsAsync(PostgresSettings settings)
    {
        var all = await (await postgres.ServerAsync()).QueryAsync<string>(
            $"""
            SELECT string_agg(line, E'\n' ORDER BY line) FROM (
                SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) AS line
                  FROM information_schema.columns WHERE table_schema = '{settings.Schema}'
                UNION ALL SELECT replace(indexdef, '{settings.Schema}.', '') FROM pg_indexes
                  WHERE schemaname = '{settings.Schema}') AS lines
            """
        );
        return [.. all.Split('\n')];
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(PostgresSettings settings, bool byScript, params string[] args) =>
        await RunAsync(settings, byScript, ("LC_ALL", "C"), args);

    private static async Task<(int ExitCode, string Output)> RunAsync(
        PostgresSettings settings,
        bool byScript,
        (string Name, string Value) variables,
        params string[] args
    )
    {
        using var program = new AgentExecutorProgram { Postgres = settings };
        program.Variables[variables.Name] = variables.Value;
        if (!byScript)
        {
            var result = await program.RunAsync(["migrate", .. args, "--yes"]);
            return (result.ExitCode, result.Output.Trim());
        }
        var script = await program.RunScriptAsync("scripts/ci/run-migrations.sh", args);
        return (script.ExitCode, script.Output.Trim().Split('\n')[^1]);
    }
}
