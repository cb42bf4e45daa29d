using AgentExecutor.Adapters.Postgres;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Commands;

/// <summary>Commands with PostgreSQL instead of the embedded database.</summary>
public sealed class PostgresCommandTests(PostgresFixture postgres)
{
    private static readonly string Sample = Path.Combine(AgentExecutorProgram.Root, "samples", "log-triage");

    [Fact]
    public async Task Run_history_show_fork_and_resume_work_as_on_the_embedded_database()
    {
        using var program = new AgentExecutorProgram { Postgres = await postgres.SchemaAsync() };
        string[] run =
        [
            "run",
            Path.Combine(Sample, "agent.json"),
            "--mount",
            Path.Combine(Sample, "logs"),
            "--input",
            "What went wrong?",
            "--thread",
            "demo",
        ];
        var first = await program.RunAsync(run);
        Assert.True(first.ExitCode == 0, first.Error);
        Assert.False(Directory.Exists(program.File("data")));

        Assert.Contains("demo", (await program.RunAsync("threads")).Output, StringComparison.Ordinal);
        Assert.Contains("tools:", (await program.RunAsync("history", "demo", "--all")).Output, StringComparison.Ordinal);
        Assert.StartsWith("#", (await program.RunAsync("show", "demo", "--file", "/report.md")).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await program.RunAsync("fork", "demo", "--step", "2", "--to", "copy")).ExitCode);
        var resumed = await program.RunAsync("resume", "copy");
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal(first.Output, resumed.Output);
    }

    [Fact]
    public async Task A_thread_that_another_process_runs_is_refused()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 1);
        fleet.Tool.Gate = new TaskCompletionSource().Task;
        await fleet.SubmitAsync(fleet.Program.WriteFile("agent.json", CountingAgents.Once(fleet.Tool.Url)), "busy");
        await Wait.UntilAsync(() => !fleet.Tool.Calls.IsEmpty);

        var resumed = await fleet.Program.RunAsync("resume", "busy");

        Assert.Equal(5, resumed.ExitCode);
        Assert.Contains("thread_busy", resumed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submit_waits_for_the_answer_and_a_repeated_run_id_returns_the_same_run()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 1);
        var definition = fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url));
        string[] submit = ["submit", definition, "--input", "count", "--thread", "t", "--run-id", "r", "--wait"];

        var (first, second) = (await fleet.Program.RunAsync(submit), await fleet.Program.RunAsync(submit));

        Assert.Equal((0, CountingAgents.Answer + "\n"), (first.ExitCode, first.Output));
        Assert.Equal((0, CountingAgents.Answer + "\n"), (second.ExitCode, second.Output));
        Assert.Equal(1, await fleet.CountAsync("SELECT count(*) FROM runs"));
        Assert.Equal(2, fleet.Tool.Calls.Count);
    }

    [Fact]
    public async Task An_invalid_run_is_refused_at_once()
    {
        using var program = new AgentExecutorProgram { Postgres = await postgres.SchemaAsync() };
        var broken = program.WriteFile("broken.json", """{"nodes": []}""");

        Assert.Equal(2, (await program.RunAsync("submit", broken, "--input", "x")).ExitCode);
        Assert.Equal(2, (await program.RunAsync("submit", Path.Combine(Sample, "agent.json"))).ExitCode); // no --input
        Assert.Equal(
            2,
            (await program.RunAsync("submit", Path.Combine(Sample, "agent.json"), "--input", "x", "--priority", "77")).ExitCode
        );
        Assert.Equal(2, (await program.RunAsync("submit", Path.Combine(Sample, "agent.json"), "--input", "x", "--delay", "soon")).ExitCode);
        Assert.Equal(
            "There are no threads. Start one with: agent-executor run DEFINITION --input TEXT\n",
            (await program.RunAsync("threads")).Output
        );
    }

    [Fact]
    public async Task Undoing_migrations_needs_a_confirmation_and_lists_what_is_lost()
    {
        using var program = new AgentExecutorProgram { Postgres = await postgres.SchemaAsync() };
        var newest = (await program.RunAsync("migrate", "--status")).Output;

        var refused = await program.RunAsync("migrate", "--to", "0");

        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("the table threads with all its rows", refused.Error, StringComparison.Ordinal);
        Assert.Contains("hint: add --yes", refused.Error, StringComparison.Ordinal);
        Assert.Equal(newest, (await program.RunAsync("migrate", "--status")).Output);
        Assert.Equal(0, (await program.RunAsync("migrate", "--to", "0", "--yes")).ExitCode);
        Assert.Contains("version 0 of", (await program.RunAsync("migrate", "--status")).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await program.RunAsync("migrate")).ExitCode); // Applying migrations loses nothing and needs no confirmation.
    }

    [Theory]
    [InlineData("no", 2)]
    [InlineData("yes", 0)]
    public async Task At_a_terminal_undoing_migrations_asks_for_confirmation(string answer, int exitCode)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "/usr/bin/script makes the terminal");
        using var program = new AgentExecutorProgram { Postgres = await postgres.SchemaAsync() };
        var command = $"{Path.Combine(AppContext.BaseDirectory, "agent-executor")} migrate --to 0";
        var start = new System.Diagnostics.ProcessStartInfo("/usr/bin/script", ["-qec", command, "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        program.SetVariables(start);
        using var terminal = System.Diagnostics.Process.Start(start)!;
        await terminal.StandardInput.WriteLineAsync(answer);

        var output = await terminal.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await terminal.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Contains("type yes to continue", output, StringComparison.Ordinal);
        Assert.Equal(exitCode, terminal.ExitCode);
    }

    [Fact]
    public async Task Without_a_server_or_a_service_submit_explains_what_to_start()
    {
        using var program = new AgentExecutorProgram { Postgres = new PostgresSettings() };
        program.Variables["PORT"] = "1"; // No service listens on this port.

        var submit = await program.RunAsync("submit", Path.Combine(Sample, "agent.json"), "--input", "x");

        Assert.Equal(5, submit.ExitCode);
        Assert.Contains("no service answers at http://127.0.0.1:1", submit.Error, StringComparison.Ordinal);
        Assert.Contains("agent-executor serve", submit.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prune_deletes_what_has_ended_and_nothing_else()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 1);
        var definition = fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url));
        foreach (var thread in (string[])["a", "b", "c"])
        {
            await fleet.SubmitAsync(definition, thread);
            await Wait.UntilAsync(async () => await fleet.StatusAsync(thread) == "completed");
        }
        await fleet.Workers[0].StopAsync();
        await fleet.SubmitAsync(definition, "waits");

        Assert.Equal("1 threads would be deleted\n", (await fleet.Program.RunAsync("prune", "--keep-threads", "2", "--dry-run")).Output);
        Assert.Equal("1 threads and 0 checkpoints deleted\n", (await fleet.Program.RunAsync("prune", "--keep-threads", "2")).Output);
        Assert.Equal(
            0,
            await fleet.CountAsync(
                "SELECT (SELECT count(*) FROM checkpoints WHERE thread_id = 'a') + (SELECT count(*) FROM events WHERE thread_id = 'a')"
                    + " + (SELECT count(*) FROM tool_calls WHERE thread_id = 'a') + (SELECT count(*) FROM runs WHERE thread_id = 'a')"
            )
        );

        var before = (await fleet.Program.RunAsync("show", "b", "--json")).Output;
        var pruned = await fleet.Program.RunAsync("prune", "--keep-last", "1");
        Assert.Matches("^0 threads and [0-9]+ checkpoints deleted", pruned.Output);
        Assert.Equal(before, (await fleet.Program.RunAsync("show", "b", "--json")).Output);

        Assert.Equal("pending", await fleet.StatusAsync("waits"));
        Assert.Equal(2, (await fleet.Program.RunAsync("prune")).ExitCode);
    }
}
