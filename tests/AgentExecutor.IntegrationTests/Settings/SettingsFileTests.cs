using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Settings;

public sealed class SettingsFileTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task A_command_reads_the_file_that_the_option_or_the_variable_names()
    {
        var data = _program.File("from-the-file");
        var file = _program.WriteFile("settings.json", $$"""{ "data_dir": "{{data}}" }""");
        var agent = _program.WriteFile(
            "agent.json",
            """
            {"nodes": [{"id": "a", "type": "orchestrator",
              "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "Hello!"}]}}}]}
            """
        );

        var run = await _program.RunAsync("--config", file, "run", agent, "--input", "x", "--thread", "t");
        _program.Variables["AGENT_EXECUTOR_CONFIG"] = file;
        var threads = await _program.RunAsync("--verbose", "threads");

        Assert.True(run.ExitCode == 0, run.Error);
        Assert.True(Directory.Exists(data));
        Assert.Contains("completed", threads.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_faulty_file_is_reported_with_all_other_faults()
    {
        var file = _program.WriteFile("settings.json", """{ "worker": { "slot": 3 }, "port": "many" }""");
        _program.Variables["LOG_LEVEL"] = "LOUD";

        var result = await _program.RunAsync("serve", "--config", file);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"{file}: worker.slot is not a setting. Did you mean worker.slots?", result.Error, StringComparison.Ordinal);
        Assert.Contains($"{file}: port must be a number, not a string.", result.Error, StringComparison.Ordinal);
        Assert.Contains("LOG_LEVEL: ", result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();
}
