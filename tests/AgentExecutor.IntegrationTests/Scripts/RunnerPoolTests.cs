using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Adapters.Scripts;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Scripts;

/// <summary>Processes of scripts are used again, and nothing passes from one call to another.</summary>
public abstract class RunnerPoolTests(bool usesNamespaces) : IAsyncDisposable
{
    /// <summary>Says in which process it was loaded, and how often it was called there.</summary>
    private const string Counting = """
        import os
        from langchain_core.tools import tool
        calls = []
        loaded = os.getpid()

        @tool
        def t(note: str = "") -> str:
            "d"
            import json
            calls.append(note)
            json.left = getattr(json, "left", 0) + 1
            os.environ["LEFT"] = os.environ.get("LEFT", "") + "x"
            return f"{loaded} {len(calls)} {json.left} {os.environ['LEFT']} {os.getpid() != loaded}"
        """;

    private readonly ScriptRuns _runs = new(
        new ScriptToolSettings { MaxRunners = 2, IdleSeconds = 600 },
        usesNamespaces ? SandboxLevel.Namespaces : SandboxLevel.Restricted
    );

    [Fact]
    public async Task State_in_globals_modules_and_the_environment_is_not_visible_to_the_next_call()
    {
        var first = (await _runs.CallAsync(Counting)).Text.Split(' ', 2);
        var second = (await _runs.CallAsync(Counting)).Text.Split(' ', 2);

        Assert.Equal(first[0], second[0]); // the same process
        Assert.Equal(["1 1 x True", "1 1 x True"], [first[1], second[1]]);
    }

    [Fact]
    public async Task Files_and_processes_that_a_call_leaves_behind_are_not_visible_to_the_next_call()
    {
        const string Script = """
            import os, subprocess, tempfile
            from langchain_core.tools import tool

            @tool
            def t() -> str:
                "d"
                here = [os.path.join(tempfile.gettempdir(), "left"), "left"]
                seen = [path for path in here if os.path.exists(path)]
                for path in here:
                    open(path, "w").close()
                subprocess.Popen(["sleep", "600"], start_new_session=True)
                return f"{os.getppid()} {seen}"
            """;

        var first = (await _runs.CallAsync(Script)).Text.Split(' ', 2);
        var second = (await _runs.CallAsync(Script)).Text.Split(' ', 2);

        Assert.Equal(("[]", "[]"), (first[1], second[1]));
    }

    [Fact]
    public async Task Definitions_and_versions_do_not_share_processes()
    {
        var pids = new List<string>();
        foreach (var name in (string[])["one", "other", "one"])
        {
            pids.Add((await _runs.CallAsync(Counting, name: name)).Text.Split(' ')[0]);
        }

        Assert.Equal(pids[0], pids[2]);
        Assert.Equal(2, _runs.Runners.IdleCount);
    }

    [Fact]
    public async Task The_process_that_was_not_used_for_longest_makes_room()
    {
        await _runs.CallAsync(Counting, name: "a");
        await _runs.CallAsync(Counting, name: "b");
        await _runs.CallAsync(Counting, name: "a");
        var outcome = await _runs.CallAsync(Counting, name: "c");

        Assert.False(outcome.IsError);
        Assert.Equal(2, _runs.Runners.IdleCount);
    }

    [Fact]
    public async Task Concurrent_calls_wait_for_each_other_and_are_not_mixed_up()
    {
        const string Script = """
            from langchain_core.tools import tool

            @tool
            def t(x: int) -> int:
                "d"
                return x * x
            """;

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 12).Select(async x => (await _runs.CallAsync(Script, $"{{\"x\": {x}}}", name: $"d{x % 3}")).Text)
        );

        Assert.Equal(Enumerable.Range(0, 12).Select(x => $"{x * x}"), answers);
        Assert.InRange(_runs.Runners.IdleCount, 1, 2);
    }

    [Fact]
    public async Task A_process_without_calls_is_ended()
    {
        await using var runs = new ScriptRuns(
            new ScriptToolSettings { MaxRunners = 2, IdleSeconds = 0.2 },
            usesNamespaces ? SandboxLevel.Namespaces : SandboxLevel.Restricted
        );

        await runs.CallAsync(Counting);

        await Wait.UntilAsync(() => runs.Runners.IdleCount == 0);
    }

    public async ValueTask DisposeAsync()
    {
        await _runs.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}

/// <inheritdoc/>
public sealed class RunnerPoolWithNamespacesTests() : RunnerPoolTests(usesNamespaces: true);

/// <inheritdoc/>
public sealed class RunnerPoolWithoutNamespacesTests() : RunnerPoolTests(usesNamespaces: false);
