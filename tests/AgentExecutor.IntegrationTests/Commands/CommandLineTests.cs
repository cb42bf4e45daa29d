using System.Runtime.InteropServices;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Commands;

public sealed class CommandLineTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task The_answer_is_on_standard_output_and_the_rest_on_standard_error()
    {
        var result = await _program.RunAsync("run", Agent("""[{"text": "Hello, {{input}}!"}]"""), "--input", "world");

        Assert.Equal((0, "Hello, world!\n"), (result.ExitCode, result.Output));
        Assert.Contains("completed: 1 supersteps, 1 model calls", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_are_the_only_lines_of_JSON_on_standard_output()
    {
        var result = await _program.RunAsync("run", Agent("""[{"text": "Hello!"}]"""), "--input", "x", "--events", "jsonl");

        var events = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line)).ToList();
        Assert.Equal(
            ["on_state_update", "on_llm_stream", "on_state_update", "end"],
            events.Select(it => it.GetProperty("event_type").GetString())
        );
        Assert.Equal([1, 2, 3, 4], events.Select(it => it.GetProperty("seq").GetInt64()));
        Assert.Equal("completed", events[^1].GetProperty("data").GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("", "the input has no message")]
    [InlineData("{\"user_request\": ", "not valid JSON")]
    [InlineData("@nowhere.txt", "no file 'nowhere.txt'")]
    [InlineData("{\"messages\": [{\"role\": \"wizard\", \"content\": \"x\"}]}", "unknown role 'wizard'")]
    public async Task An_invalid_input_is_reported_in_one_sentence_with_a_remedy(string input, string expected)
    {
        var result = await _program.RunAsync(
            input.Length == 0 ? ["run", Agent("""[{"text": "x"}]""")] : ["run", Agent("""[{"text": "x"}]"""), "--input", input]
        );

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Contains("hint:", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_definition_is_refused_with_all_its_faults()
    {
        var file = _program.WriteFile(
            "bad.json",
            """
            {"nodes": [{"id": "a", "type": "orchestrater", "tools": ["nope"]}, {"id": "a", "type": "tool"}],
              "limits": {"max_supersteps": 99999999}}
            """
        );

        var run = await _program.RunAsync("run", file, "--input", "x");
        var check = await _program.RunAsync("check", file, "--json");

        Assert.Equal((2, 2), (run.ExitCode, check.ExitCode));
        var codes = JsonElement
            .Parse(check.Output)
            .GetProperty("faults")
            .EnumerateArray()
            .Select(it => it.GetProperty("code").GetString()!)
            .ToHashSet();
        Assert.Empty(new[] { "unknown_node_type", "duplicate_name", "missing_field", "limit_above_server" }.Except(codes));
        Assert.Contains("did you mean 'orchestrator'?", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_run_ends_with_1_and_can_be_resumed()
    {
        var file = Agent("""[{"error": {"class": "authentication", "message": "no such key"}}]""");

        var result = await _program.RunAsync("run", file, "--input", "x", "--thread", "t");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("no such key [model_authentication]", result.Error, StringComparison.Ordinal);
        Assert.Contains("agent-executor resume t", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await _program.RunAsync("resume", "t")).ExitCode);
    }

    [Fact]
    public async Task An_interrupted_run_prints_how_to_answer_and_resumes_with_the_answer()
    {
        var file = Agent(
            """
            [{"tool_calls": [{"name": "write_file", "args": {"file_path": "/a.txt", "content": "secret plan"}}]}, {"text": "{{last}}"}]
            """,
            """, "interrupt_on": {"write_file": true}"""
        );

        var waits = await _program.RunAsync("run", file, "--input", "x", "--thread", "t");
        Assert.Equal(3, waits.ExitCode);
        Assert.Contains(
            $"agent-executor resume t --data-dir {_program.File("data")} --answer ANSWER",
            waits.Error,
            StringComparison.Ordinal
        );
        Assert.Contains("waiting for an answer", (await _program.RunAsync("show", "t")).Output, StringComparison.Ordinal);
        Assert.Equal(2, (await _program.RunAsync("resume", "t")).ExitCode);
        Assert.Equal(2, (await _program.RunAsync("resume", "t", "--answer", $"{new string('0', 32)}:9=approve")).ExitCode);
        Assert.Equal(3, (await _program.RunAsync("resume", "t", "--answer", "perhaps")).ExitCode);

        var edited = await _program.RunAsync(
            "resume",
            "t",
            "--answer",
            """{"decision": "edit", "args": {"file_path": "/b.txt", "content": "public plan"}}"""
        );

        Assert.True(edited.ExitCode == 0, edited.Error);
        Assert.StartsWith("Wrote /b.txt (11 characters).\n(A person changed the arguments to", edited.Output, StringComparison.Ordinal);
        Assert.Equal("public plan", (await _program.RunAsync("show", "t", "--file", "/b.txt")).Output);
    }

    [Fact]
    public async Task SIGTERM_stops_at_a_checkpoint_and_prints_the_command_that_resumes()
    {
        var file = Agent("""[{"delay_ms": 300, "tool_calls": [{"name": "ls", "args": {}}]}, {"text": "done", "delay_ms": 300}]""");
        var program = _program.Start("run", file, "--input", "x", "--thread", "t", "--events", "jsonl");
        await program.ReadLineAsync(); // The input is stored, and the first model call is in flight.

        Assert.Equal(0, Signal(program.Id, 15));
        var stopped = await program.WaitAsync();

        Assert.Equal(130, stopped.ExitCode);
        Assert.Contains("agent-executor resume t", stopped.Error, StringComparison.Ordinal);
        Assert.Contains("\"tool_calls\"", stopped.Output, StringComparison.Ordinal); // The step in flight was completed.
        var resumed = await _program.RunAsync("resume", "t");
        Assert.Equal((0, "done\n"), (resumed.ExitCode, resumed.Output));
    }

    [Fact]
    public async Task Two_processes_cannot_run_one_thread()
    {
        var file = Agent("""[{"text": "slow", "delay_ms": 2000}]""");
        var first = _program.Start("run", file, "--input", "x", "--thread", "t", "--events", "jsonl");
        await first.ReadLineAsync();

        var second = await _program.RunAsync("resume", "t");

        Assert.Equal(5, second.ExitCode);
        Assert.Contains("another process is running the thread 't'", second.Error, StringComparison.Ordinal);
        await first.KillAsync();
        Assert.Equal(0, (await _program.RunAsync("resume", "t")).ExitCode); // The lock ended with its process.
    }

    [Fact]
    public async Task A_thread_continues_with_new_input_and_can_be_listed_shown_and_forked()
    {
        var file = Agent("""[{"text": "first: {{user}}"}, {"text": "second: {{user}}"}]""");
        await _program.RunAsync("run", file, "--input", "one", "--thread", "t");
        var second = await _program.RunAsync("run", file, "--input", "two", "--thread", "t");
        Assert.Equal("second: two\n", second.Output);

        var threads = await _program.RunAsync("threads", "--json");
        Assert.Equal("t", JsonElement.Parse(threads.Output.Trim()).GetProperty("thread_id").GetString());
        var history = (await _program.RunAsync("history", "t", "--json"))
            .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line))
            .ToList();
        Assert.Equal(["loop", "input", "loop", "input"], history.Select(it => it.GetProperty("source").GetString()));
        var early = history[2].GetProperty("checkpoint_id").GetString()!;
        Assert.DoesNotContain("two", (await _program.RunAsync("show", "t", "--checkpoint", early)).Output, StringComparison.Ordinal);

        var fork = await _program.RunAsync(
            "fork",
            "t",
            "--checkpoint",
            early,
            "--to",
            "f",
            "--set",
            """{"messages": [{"role": "user", "content": "three"}]}""",
            "--as-node",
            "START"
        );
        Assert.Equal((0, "f\n"), (fork.ExitCode, fork.Output));
        Assert.Equal("second: three\n", (await _program.RunAsync("resume", "f")).Output);
        // The original thread is unchanged.
        Assert.Contains("second: two", (await _program.RunAsync("show", "t", "--json")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("show", "nobody")]
    [InlineData("history", "nobody")]
    [InlineData("resume", "nobody")]
    [InlineData("fork", "nobody")]
    public async Task An_unknown_thread_is_reported(string command, string thread)
    {
        var nothing = await _program.RunAsync(command, thread);
        Assert.Equal(5, nothing.ExitCode);
        Assert.Contains("there is no database in", nothing.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_program.File("data"))); // Reading creates no database.
        await _program.RunAsync("run", Agent("""[{"text": "x"}]"""), "--input", "x");

        var result = await _program.RunAsync(command, thread);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("there is no thread 'nobody' [unknown_thread]", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_misspelt_option_stops_the_program()
    {
        var option = await _program.RunAsync("threads", "--limits", "3");
        Assert.Equal(2, option.ExitCode);
        Assert.Contains("agent-executor threads --help", option.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_of_models_and_tools_cannot_control_the_terminal()
    {
        var file = Agent(
            """[{"tool_calls": [{"name": "ls", "args": {"path": "/\u001b[2J"}}]}, {"text": "\u001b]0;title\u0007 \u202e done"}]"""
        );

        var result = await _program.RunAsync("run", file, "--input", "x");

        Assert.DoesNotContain('\u001b', result.Error);
        Assert.DoesNotContain('\u202e', result.Error);
        Assert.Contains('\u001b', result.Output); // A piped answer is unchanged.
    }

    [Fact]
    public async Task An_output_directory_that_cannot_be_created_is_reported_before_the_run()
    {
        var result = await _program.RunAsync("run", Agent("""[{"text": "x"}]"""), "--input", "x", "--out", "/proc/nowhere");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("'/proc/nowhere' cannot be created", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("completed", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_plan_of_a_definition_is_printed_as_text_json_and_mermaid()
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "workflow", "agent.json");

        Assert.Contains(
            "plan -> tax (for each of state.orders)",
            (await _program.RunAsync("check", sample)).Output,
            StringComparison.Ordinal
        );
        Assert.Equal(
            "workflow",
            JsonElement.Parse((await _program.RunAsync("check", sample, "--json")).Output).GetProperty("form").GetString()
        );
        Assert.StartsWith("flowchart TD", (await _program.RunAsync("check", sample, "--mermaid")).Output, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private string Agent(string script, string more = "") =>
        _program.WriteFile(
            "agent.json",
            """
            {"name": "test", "nodes": [{"id": "a", "type": "orchestrator",
              "config": {"model": {"provider": "scripted", "model": "m", "script": SCRIPT}MORE}}]}
            """.Replace("SCRIPT", script, StringComparison.Ordinal).Replace("MORE", more, StringComparison.Ordinal)
        );

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Signal(int processId, int signal);
}
