using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Recording;

/// <summary>The program records runs and replays them without the servers that it used.</summary>
public sealed class RecordReplayTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();
    private readonly CountingServer _server = new();

    public RecordReplayTests()
    {
        _program.Variables["POSTGRES_PASSWORD"] = Password;
    }

    /// <summary>A replay with the embedded database and without servers.</summary>
    private const string Password = "planted-password-0815";

    private string Tape => _program.File("tape.jsonl");

    [Fact]
    public async Task A_team_with_a_tool_replays_without_the_server_and_writes_the_same_files()
    {
        var definition = _program.WriteFile("team.json", CountingAgents.Team(_server.Url, delayMs: 0));
        var recorded = await _program.RunAsync(
            "run",
            definition,
            "--input",
            $"go, {Password}",
            "--record",
            Tape,
            "--out",
            _program.File("one")
        );
        Assert.True(recorded.ExitCode == 0, recorded.Error);
        Assert.Contains($"recorded 12 exchanges in {Tape}", recorded.Error, StringComparison.Ordinal);
        _server.Dispose();
        // Without scripts, so that all answers come from the recording.
        var silent = _program.WriteFile("silent.json", await WithoutModelsAsync(definition));

        var replayed = await _program.RunAsync(
            "run",
            silent,
            "--input",
            $"go, {Password}",
            "--replay",
            Tape,
            "--out",
            _program.File("two")
        );

        Assert.True(replayed.ExitCode == 0, replayed.Error);
        Assert.Equal(CountingAgents.Answer + "\n", recorded.Output);
        Assert.Equal(recorded.Output, replayed.Output);
        Assert.Equal(await FilesAsync("one"), await FilesAsync("two"));
        Assert.Contains($"replaying {Tape} with 12 exchanges", replayed.Error, StringComparison.Ordinal);
        Assert.Contains("replayed 12 exchanges of", replayed.Error, StringComparison.Ordinal);
        Assert.Contains("0 unused", replayed.Error, StringComparison.Ordinal);
        Assert.Equal(2, _server.Calls.Count);
        Assert.DoesNotContain(Password, await ReadAsync(Tape), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("log-triage")]
    [InlineData("spec-writer")]
    public async Task A_sample_replays_without_its_models(string name)
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", name);
        string[] input =
            name == "log-triage"
                ? ["--input", "What went wrong?", "--mount", Path.Combine(sample, "logs")]
                : ["--input", "Please build a tracker."];
        var recorded = await _program.RunAsync([
            "run",
            Path.Combine(sample, "agent.json"),
            .. input,
            "--record",
            Tape,
            "--out",
            _program.File("one"),
        ]);
        Assert.True(recorded.ExitCode == 0, recorded.Error);
        var silent = _program.WriteFile("silent.json", await WithoutModelsAsync(Path.Combine(sample, "agent.json")));

        var replayed = await _program.RunAsync(["run", silent, .. input, "--replay", Tape, "--out", _program.File("two")]);

        Assert.True(replayed.ExitCode == 0, replayed.Error);
        Assert.Equal(recorded.Output, replayed.Output);
        Assert.Equal(await FilesAsync("one"), await FilesAsync("two"));
    }

    [Fact]
    public async Task The_recorded_sample_replays()
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "recorded");

        var result = await _program.RunAsync(
            "run",
            Path.Combine(sample, "agent.json"),
            "--input",
            "What is a euro worth?",
            "--replay",
            Path.Combine(sample, "desk.jsonl"),
            "--out",
            _program.File("out")
        );

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith("One euro is 1.0842 dollars or 162.37 yen", result.Output, StringComparison.Ordinal);
        Assert.Equal(
            "# Rates for 1 EUR\n\n- USD: 1.0842\n- JPY: 162.37\n- XAU: none (there is no rate for XAU)\n",
            await ReadAsync(_program.File("out/quote.md"))
        );
    }

    [Fact]
    public async Task A_replay_needs_no_secret_of_a_tool()
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "recorded");
        var definition = (await ReadAsync(Path.Combine(sample, "agent.json"))).Replace(
            "\"Bearer desk-key-4711\"",
            """{"env": "DESK_KEY", "prefix": "Bearer "}""",
            StringComparison.Ordinal
        );
        Assert.Contains("DESK_KEY", definition, StringComparison.Ordinal);

        var result = await _program.RunAsync(
            "run",
            _program.WriteFile("agent.json", definition),
            "--input",
            "What is a euro worth?",
            "--replay",
            Path.Combine(sample, "desk.jsonl")
        );

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith("One euro is 1.0842 dollars", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_changed_prompt_fails_with_what_differs()
    {
        var definition = CountingAgents.Once(_server.Url);
        await _program.RunAsync("run", _program.WriteFile("one.json", definition), "--input", "go", "--record", Tape);
        var changed = definition.Replace("\"config\": {", "\"config\": {\"system_prompt\": \"Be brief.\", ", StringComparison.Ordinal);

        var result = await _program.RunAsync("run", _program.WriteFile("two.json", changed), "--input", "go", "--replay", Tape);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("[replay_mismatch]", result.Error, StringComparison.Ordinal);
        Assert.Contains("the nearest one, in line 2, differs in\n  $.messages[0].content[0].text", result.Error, StringComparison.Ordinal);
        Assert.Contains("now \"Be brief.", result.Error, StringComparison.Ordinal);
        Assert.Contains("hint: undo the change, or record the run again", result.Error, StringComparison.Ordinal);
        Assert.Single(_server.Calls);
    }

    [Fact]
    public async Task An_interrupted_recording_can_be_read_and_continued()
    {
        var definition = _program.WriteFile("once.json", CountingAgents.Once(_server.Url, "idempotent"));
        var gate = new TaskCompletionSource();
        _server.Gate = gate.Task;
        var killed = _program.Start("run", definition, "--input", "go", "--thread", "t", "--record", Tape, "--events", "jsonl");
        while (await killed.ReadLineAsync() is { } line && !line.Contains("on_tool_start", StringComparison.Ordinal))
        {
            // The answer of the model is stored, and the tool is being called.
        }
        await killed.KillAsync();
        gate.SetResult();
        // As after a kill in the middle of a write.
        await File.AppendAllTextAsync(Tape, """{"kind":"tool","hash":"00""", TestContext.Current.CancellationToken);
        Assert.Equal(2, (await _program.RunAsync("run", definition, "--input", "go", "--record", Tape)).ExitCode);

        var resumed = await _program.RunAsync("resume", "t", "--record", Tape);

        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Contains("recorded 2 exchanges", resumed.Error, StringComparison.Ordinal);
        _server.Dispose();
        var replayed = await _program.RunAsync("run", definition, "--input", "go", "--replay", Tape);
        Assert.Equal((0, resumed.Output), (replayed.ExitCode, replayed.Output));
        Assert.Contains("replayed 3 exchanges", replayed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_replayed_run_that_is_interrupted_resumes_from_the_recording()
    {
        var definition = _program.WriteFile(
            "once.json",
            CountingAgents
                .Once(_server.Url)
                .Replace("\"tools\":", "\"interrupt_on\": {\"count\": true}, \"tools\":", StringComparison.Ordinal)
        );
        Assert.Equal(3, (await _program.RunAsync("run", definition, "--input", "go", "--thread", "live", "--record", Tape)).ExitCode);
        var recorded = await _program.RunAsync("resume", "live", "--answer", "approve", "--record", Tape);
        Assert.True(recorded.ExitCode == 0, recorded.Error);
        _server.Dispose();

        var waits = await _program.RunAsync("run", definition, "--input", "go", "--thread", "again", "--replay", Tape);
        var replayed = await _program.RunAsync("resume", "again", "--answer", "approve", "--replay", Tape);

        Assert.Equal(3, waits.ExitCode);
        Assert.Contains($"--replay {Tape} --answer ANSWER", waits.Error, StringComparison.Ordinal);
        Assert.Equal((0, recorded.Output), (replayed.ExitCode, replayed.Output));
    }

    [Theory]
    [InlineData("--record", "notes.txt", "'notes.txt' is not a recording")]
    [InlineData("--replay", "notes.txt", "'notes.txt' is not a recording")]
    [InlineData("--replay", "nowhere.jsonl", "'nowhere.jsonl' cannot be opened")]
    [InlineData("--record", "nowhere/x.jsonl", "cannot be opened")]
    public async Task A_file_that_is_no_recording_is_refused_before_the_run_and_left_unchanged(string option, string file, string expected)
    {
        var notes = _program.WriteFile("notes.txt", "mine\n");
        var definition = _program.WriteFile("once.json", CountingAgents.Once(_server.Url));

        var result = await _program.RunAsync("run", definition, "--input", "go", option, file);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Contains("hint:", result.Error, StringComparison.Ordinal);
        Assert.Equal("mine\n", await ReadAsync(notes));
        Assert.Empty(_server.Calls);
    }

    [Fact]
    public async Task Only_a_recording_without_exchanges_is_overwritten()
    {
        var definition = _program.WriteFile("once.json", CountingAgents.Once(_server.Url));
        var bad = _program.WriteFile("bad.json", "{\"nodes\": []}");
        Assert.Equal(2, (await _program.RunAsync("run", bad, "--input", "go", "--record", Tape)).ExitCode);
        Assert.Equal(0, (await _program.RunAsync("run", definition, "--input", "go", "--record", Tape)).ExitCode);
        var before = await ReadAsync(Tape);

        var again = await _program.RunAsync("run", definition, "--input", "go", "--record", Tape);
        var both = await _program.RunAsync("run", definition, "--input", "go", "--record", _program.File("new.jsonl"), "--replay", Tape);

        Assert.Equal((2, 2), (again.ExitCode, both.ExitCode));
        Assert.Contains("already contains a recording with 3 exchanges", again.Error, StringComparison.Ordinal);
        Assert.Contains("--record and --replay cannot be combined", both.Error, StringComparison.Ordinal);
        Assert.Equal(before, await ReadAsync(Tape));
        Assert.Single(_server.Calls);
    }

    public void Dispose()
    {
        _server.Dispose();
        _program.Dispose();
    }

    /// <summary>The definition with empty scripts, which are not part of the request to a model.</summary>
    private static async Task<string> WithoutModelsAsync(string file)
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(await ReadAsync(file))!;
        foreach (var node in json["nodes"]!.AsArray())
        {
            if (node!["config"]?["model"] is System.Text.Json.Nodes.JsonObject model)
            {
                model["script"] = System.Text.Json.Nodes.JsonNode.Parse("""[{"when": {}, "text": "the model was asked"}]""");
            }
        }
        return json.ToJsonString();
    }

    private async Task<string> FilesAsync(string directory)
    {
        var files = Directory.GetFiles(_program.File(directory), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        Assert.NotEmpty(files);
        var texts = new List<string>();
        foreach (var file in files)
        {
            texts.Add($"{Path.GetRelativePath(_program.File(directory), file)}\n{await ReadAsync(file)}");
        }
        return string.Join('\n', texts);
    }

    private static Task<string> ReadAsync(string file) => File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
}
