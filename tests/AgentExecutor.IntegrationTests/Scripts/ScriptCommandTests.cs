using System.Diagnostics;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Scripts;

/// <summary>The commands with definitions that have script tools, and what is left when the program is killed during a call.</summary>
public sealed class ScriptCommandTests : IDisposable
{
    private const string Plain = "from langchain_core.tools import tool\n@tool\ndef t():\n    'd'\n    return 'fine'\n";

    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task A_missing_package_is_a_warning_of_check_and_an_error_of_run()
    {
        var definition = _program.WriteFile(
            "agent.json",
            ScriptRuns.Agent(
                ScriptRuns.Tool("t", Plain, ", \"dependencies\": [\"langchain\", \"no-such-package\"]"),
                ScriptRuns.Turns(("t", "{}"))
            )
        );

        var check = await _program.RunAsync("check", definition);
        Assert.Equal(0, check.ExitCode);
        Assert.Contains("the tool 't' needs the package 'no-such-package'", check.Output, StringComparison.Ordinal);

        var run = await _program.RunAsync("run", definition, "--input", "go");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("the tool 't' needs the package 'no-such-package'", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_refuses_a_definition_whose_script_cannot_be_loaded()
    {
        await using var server = await ApiServer.StartAsync();
        var definition = ScriptRuns.Agent(ScriptRuns.Tool("t", "import langchain_core\nx = (\n"), ScriptRuns.Turns());

        var answer = await server.Http.PostAsync(
            "/deepagents-runtime/invoke",
            new StringContent(
                """{"trace_id": "t", "job_id": "j1", "agent_definition": DEFINITION, "input_payload": {"user_request": "go"}}""".Replace(
                    "DEFINITION",
                    definition,
                    StringComparison.Ordinal
                ),
                System.Text.Encoding.UTF8,
                "application/json"
            ),
            TestContext.Current.CancellationToken
        );

        var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(System.Net.HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("(line 2 of the script)", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("once", false)]
    [InlineData("idempotent", true)]
    public async Task A_call_in_flight_when_the_program_is_killed_is_only_repeated_if_that_is_harmless(string effects, bool isRepeated)
    {
        // A script in the sandbox can change nothing outside. It opens a pipe to read, which the test sees as the effect of a call.
        Directory.CreateDirectory(_program.File("shared"));
        var pipe = _program.File("shared/pipe");
        using (var make = Process.Start("sh", ["-c", $"chmod o+rx '{_program.Directory}' && mkfifo -m 666 '{pipe}'"]))
        {
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        _program.Variables["AGENT_EXECUTOR_SANDBOX_READABLE_PATHS"] = _program.File("shared");
        var script = $"from langchain_core.tools import tool\n@tool\ndef t():\n    'd'\n    return open('{pipe}').read()\n";
        var definition = _program.WriteFile(
            "agent.json",
            ScriptRuns.Agent(ScriptRuns.Tool("t", script, more: $", \"effects\": \"{effects}\""), ScriptRuns.Turns(("t", "{}")))
        );
        var calls = 0;

        var running = _program.Start("run", definition, "--thread", "x", "--input", "go");
        running.Drain();
        await using (await OpenAsync(pipe))
        {
            calls++;
            await running.KillAsync();
        }
        var resumed = _program.Start("resume", "x", "--events", "jsonl");
        if (isRepeated)
        {
            await using var writer = await OpenAsync(pipe);
            calls++;
            await writer.WriteAsync("again"u8.ToArray(), TestContext.Current.CancellationToken);
        }
        var result = await resumed.WaitAsync();

        Assert.Equal(isRepeated ? (2, 0) : (1, 3), (calls, result.ExitCode));
        Assert.Contains(isRepeated ? "\"output\":\"again\"" : "outcome_unknown", result.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    /// <summary>Opens the pipe to write, which waits until a call has opened it to read.</summary>
    private static async Task<FileStream> OpenAsync(string pipe) =>
        await Task
            .Factory.StartNew(
                () => new FileStream(pipe, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 1),
                TestContext.Current.CancellationToken,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default
            )
            .WaitAsync(AgentExecutorProgram.Limit);
}
