using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Commands;

/// <summary>A thread can be read on a machine that cannot run its definition.</summary>
public sealed class ReadElsewhereTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task A_thread_is_shown_listed_and_replayed_without_the_secret_that_its_tool_needs()
    {
        var file = _program.WriteFile(
            "agent.json",
            """
            {"name": "d", "tool_definitions": [{"name": "x", "description": "x",
              "runtime": {"type": "http", "url": "http://127.0.0.1:9/", "headers": {"X-Key": {"env": "MY_KEY"}}}}],
             "nodes": [{"id": "a", "type": "orchestrator",
               "config": {"tools": ["x"], "model": {"provider": "scripted", "model": "x", "script": [{"text": "the answer"}]}}}]}
            """
        );
        _program.Variables["AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_SECRETS"] = "MY_KEY";
        _program.Variables["MY_KEY"] = "s3cret-value";
        Assert.Equal(0, (await _program.RunAsync("run", file, "--thread", "t", "--input", "go")).ExitCode);
        _program.Variables.Remove("MY_KEY");
        _program.Variables.Remove("AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_SECRETS");
        // The definition cannot run here.
        Assert.NotEqual(0, (await _program.RunAsync("run", file, "--thread", "u", "--input", "go")).ExitCode);

        var shown = await _program.RunAsync("show", "t");
        Assert.True(shown.ExitCode == 0, shown.Error);
        Assert.Contains("the answer", shown.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", shown.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await _program.RunAsync("history", "t")).ExitCode);
        Assert.Contains("completed", (await _program.RunAsync("threads")).Output, StringComparison.Ordinal);
        var again = await _program.RunAsync("resume", "t");
        Assert.Equal((0, "the answer\n"), (again.ExitCode, again.Output));
        Assert.All(
            Directory.GetFiles(_program.Directory, "*.db*", SearchOption.AllDirectories),
            it => Assert.DoesNotContain("s3cret-value", File.ReadAllText(it), StringComparison.Ordinal)
        );
    }

    public void Dispose() => _program.Dispose();
}
