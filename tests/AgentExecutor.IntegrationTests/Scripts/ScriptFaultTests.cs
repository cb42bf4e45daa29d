using AgentExecutor.Adapters.Scripts;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Scripts;

/// <summary>Scripts that fail, in every way that was thought of, are errors that a model can read.</summary>
public sealed class ScriptFaultTests : IAsyncDisposable
{
    private const string Head = "import os, sys, time\nfrom langchain_core.tools import tool, ToolException\n";

    private readonly ScriptRuns _runs = new(
        new ScriptToolSettings
        {
            MaxRunners = 4,
            MaxResultBytes = 100_000,
            MaxLogBytes = 1000,
        }
    );

    [Theory]
    [InlineData("raise ValueError('no such city')", "Error: ValueError: no such city (line 6 of the script)")]
    [InlineData("raise ToolException('ask for a city')", "Error: ask for a city")]
    [InlineData("open('/nowhere/x')", "Error: FileNotFoundError: ")]
    [InlineData("sys.exit(3)", "Error: SystemExit: 3 (line 6 of the script)")]
    [InlineData("os._exit(3)", "Error: the process of the script ended without a result: it ended with exit code 3")]
    [InlineData("os.kill(os.getpid(), 11)", "was ended by the signal SIGSEGV")]
    [InlineData("return float('nan')", "contains nan, which JSON cannot express")]
    [InlineData("return {'x': [float('inf')]}", "contains inf, which JSON cannot express")]
    [InlineData("return object()", "a value of the type object, which is not JSON")]
    [InlineData("x = []; x.append(x); return x", "nested too deeply, or contains itself")]
    [InlineData("return 'x' * 200_000", "and the limit is 100000")]
    [InlineData("return t.invoke()", "Error: TypeError: ")]
    public async Task A_failure_is_an_error_that_says_what_is_wrong(string body, string message)
    {
        for (var call = 0; call < 2; call++) // the failure of a call does not affect the next one
        {
            var answer = await _runs.CallAsync($"{Head}@tool\ndef t():\n    'd'\n    {body}\n");

            Assert.True(answer.IsError, answer.Text);
            Assert.Contains(message, answer.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("/usr", answer.Text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("os.write(1, b'12\\n{}')")]
    [InlineData("sys.stdout.write('9\\n')")]
    [InlineData("[os.write(fd, b'garbage') for fd in range(1, 3)]")]
    [InlineData("os.system('echo 3; echo {}')")]
    [InlineData("os.closerange(3, 100) if False else os.close(1)")]
    [InlineData("print('x' * 5000)")]
    [InlineData("print('\\ud800')")]
    public async Task What_a_script_prints_never_disturbs_its_result(string body)
    {
        for (var call = 0; call < 2; call++)
        {
            var answer = await _runs.CallAsync($"{Head}@tool\ndef t():\n    'd'\n    {body}\n    return 'fine'\n");

            Assert.Equal(("fine", false), (answer.Text, answer.IsError));
        }
    }

    [Fact]
    public async Task Text_that_no_encoding_can_hold_is_repaired()
    {
        var answer = await _runs.CallAsync($"{Head}@tool\ndef t():\n    'd'\n    return 'a\\ud800b\\x00c'\n");

        Assert.Equal("a\uFFFDb\0c", answer.Text);
    }

    [Theory]
    [InlineData("time.sleep(600)")]
    [InlineData("while True: pass")]
    [InlineData("while True: print('x' * 1000)")]
    [InlineData("os.system('sleep 600')")]
    [InlineData("[os.fork() for _ in range(3)]; time.sleep(600)")]
    public async Task A_call_that_takes_too_long_is_ended(string body)
    {
        var script = $"{Head}@tool\ndef t(slow: bool):\n    'd'\n    if slow:\n        {body}\n    return 'fine'\n";
        var answer = await _runs.CallAsync(script, """{"slow": true}""", ", \"timeout_seconds\": 2");

        Assert.Equal(("Error: t did not finish within 2 s and was ended.", true), (answer.Text, answer.IsError));
        Assert.Equal("fine", (await _runs.CallAsync(script, """{"slow": false}""", ", \"timeout_seconds\": 59")).Text);
    }

    [Fact]
    public async Task A_killed_process_is_an_error_and_the_next_call_gets_a_new_one()
    {
        var script =
            $"{Head}@tool\ndef t(kill: bool):\n    'd'\n    if kill:\n        os.kill(os.getppid(), 9)\n        time.sleep(600)\n"
            + "    return 'fine'\n";

        var answer = await _runs.CallAsync(script, """{"kill": true}""");

        Assert.True(answer.IsError);
        Assert.StartsWith("Error: the process of t failed: ", answer.Text, StringComparison.Ordinal);
        Assert.Equal("fine", (await _runs.CallAsync(script, """{"kill": false}""")).Text);
    }

    [Theory]
    [InlineData("import json, sys\njson.load(sys.stdin)\nsys.exit(4)", "Error: the script ended with exit code 4")]
    [InlineData(
        "import sys\nsys.stdin.read()\nraise KeyError('k')",
        "Error: the script ended with exit code 1: KeyError: 'k' (line 3 of the script)"
    )]
    [InlineData("import sys\nsys.stdin.read()\nprint('x' * 200_000)", "the result is longer than the limit of 100000 bytes")]
    public async Task A_program_fails_with_its_exit_code(string script, string message)
    {
        var answer = await _runs.CallAsync(script);

        Assert.True(answer.IsError);
        Assert.Contains(message, answer.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("javascript", "module.exports = () => { throw new RangeError('too far'); };", "RangeError: too far (line 1 of the script)")]
    [InlineData("javascript", "module.exports = () => NaN;", "the result contains NaN, which JSON cannot express")]
    [InlineData("javascript", "module.exports = () => 'x'.repeat(200000);", "the result is longer than the limit of 100000 bytes")]
    [InlineData("javascript", "module.exports = 7;", "the script exports no function")]
    [InlineData("shell", "echo nothing found >&2; exit 5", "the script ended with exit code 5: nothing found")]
    public async Task Other_languages_fail_with_what_they_say(string language, string script, string message)
    {
        var answer = await _runs.CallAsync(script, "{}", $", \"language\": \"{language}\"");

        Assert.True(answer.IsError);
        Assert.Contains(message, answer.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("def t(:\n", "", "SyntaxError: invalid syntax (line 1 of the script)")]
    [InlineData("import langchain_core\n\n1 / 0\n", "", "ZeroDivisionError: division by zero (line 3 of the script)")]
    [InlineData("from langchain_core.tools import tool\n", "", "the script defines no tool")]
    [InlineData(
        "from langchain_core.tools import tool\n@tool\ndef a():\n    'd'\n@tool\ndef b():\n    'd'\n",
        "",
        "the script defines the tools a, b, but none with the name 't'"
    )]
    [InlineData("const x = ;", ", \"language\": \"javascript\"", "SyntaxError: Unexpected token ';' (line 1 of the script)")]
    [InlineData("echo\nif; then", ", \"language\": \"shell\"", "(line 2 of the script)")]
    [InlineData("x", ", \"language\": \"cobol\"", "'cobol' is not a language of scripts")]
    public async Task A_script_that_cannot_be_loaded_is_a_fault_of_the_definition(string script, string runtime, string message)
    {
        var faults = await _runs.FaultsAsync(ScriptRuns.Agent(ScriptRuns.Tool("t", script, runtime), ScriptRuns.Turns()));

        var fault = Assert.Single(faults);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.Equal(("invalid_tool", false, false), (fault.Code, fault.IsWarning, fault.IsEnvironment));
        Assert.StartsWith("$.tool_definitions[0].runtime.", fault.Path, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_package_names_the_tool_and_the_package()
    {
        const string Script = "from langchain_core.tools import tool\n@tool\ndef t():\n    'd'\n    return 1\n";
        var dependencies =
            ", \"dependencies\": [\"langchain-core>=0.3\", \"langchain\", \"langgraph\", \"no-such-package[all]>=2\", \"json\"]";

        var fault = Assert.Single(
            await _runs.FaultsAsync(ScriptRuns.Agent(ScriptRuns.Tool("t", Script, dependencies), ScriptRuns.Turns()))
        );

        Assert.True(fault.IsEnvironment);
        Assert.Contains(
            "the tool 't' needs the package 'no-such-package[all]>=2', which is not installed",
            fault.Message,
            StringComparison.Ordinal
        );
        var imported = Assert.Single(
            await _runs.FaultsAsync(ScriptRuns.Agent(ScriptRuns.Tool("t", $"import no_such_package\n{Script}"), ScriptRuns.Turns()))
        );
        Assert.True(imported.IsEnvironment);
        Assert.Contains("imports 'no_such_package'", imported.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_package_with_a_stand_in_is_a_warning()
    {
        const string Script = "from langchain_core.tools import tool\n@tool\ndef t():\n    'd'\n    return 1\n";

        var faults = await _runs.FaultsAsync(
            ScriptRuns.Agent(ScriptRuns.Tool("t", Script, ", \"dependencies\": [\"pydantic>=2\"]"), ScriptRuns.Turns())
        );

        Assert.All(faults, fault => Assert.True(fault.IsWarning)); // there is no fault if the package is installed
    }

    [Fact]
    public async Task A_script_that_needs_more_of_a_package_than_its_stand_in_has_says_so()
    {
        var faults = await _runs.FaultsAsync(
            ScriptRuns.Agent(ScriptRuns.Tool("t", "from langchain_core.vectorstores import VectorStore\n"), ScriptRuns.Turns())
        );

        var fault = Assert.Single(faults);
        Assert.True(fault.IsEnvironment);
        Assert.Contains("langchain_core", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_run_ends_the_call_and_its_processes()
    {
        const string Script = "import time\nfrom langchain_core.tools import tool\n@tool\ndef t():\n    'd'\n    time.sleep(600)\n";
        using var cancel = new CancellationTokenSource();

        var run = _runs.StartAsync(
            ScriptRuns.Agent(ScriptRuns.Tool("t", Script), ScriptRuns.Turns(("t", "{}"))),
            new RunSignals(TestContext.Current.CancellationToken, Cancel: cancel.Token)
        );
        await Wait.UntilAsync(() => _runs.Runners.BusyCount == 1);
        await cancel.CancelAsync();

        Assert.Equal(RunStatus.Cancelled, (await run).Run.Status);
        await Wait.UntilAsync(() => _runs.Runners.BusyCount == 0);
        Assert.Equal(0, _runs.Runners.IdleCount);
    }

    public ValueTask DisposeAsync() => _runs.DisposeAsync();
}
