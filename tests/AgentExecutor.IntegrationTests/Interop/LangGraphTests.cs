using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Interop;

/// <summary>
/// LangGraph.js reads checkpoints of the product. The test is skipped without node, npm and its registry, which the product does not need.
/// </summary>
public sealed class LangGraphTests(PostgresFixture postgres)
{
    [Fact]
    public async Task The_checkpoint_saver_of_LangGraph_lists_and_loads_threads()
    {
        var settings = await postgres.SchemaAsync();
        using var program = new AgentExecutorProgram { Postgres = settings };
        await NodePackage.InstallAsync(program, "langgraph");
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "log-triage");
        var run = await program.RunAsync(
            "run",
            Path.Combine(sample, "agent.json"),
            "--mount",
            Path.Combine(sample, "logs"),
            "--input",
            "What went wrong?",
            "--thread",
            "demo"
        );
        Assert.True(run.ExitCode == 0, run.Error);
        var password = settings.Password.IsSet ? ":" + Uri.EscapeDataString(settings.Password.Value!) : "";

        var loaded = await NodePackage.RunAsync(
            program,
            "node",
            "load.mjs",
            $"postgresql://{settings.User}{password}@{settings.Host}:{settings.Port}/{settings.Db}",
            settings.Schema,
            "demo"
        );

        Assert.True(loaded.ExitCode == 0, loaded.Error);
        var theirs = JsonElement.Parse(loaded.Output);
        var ours = JsonElement.Parse((await program.RunAsync("show", "demo", "--json")).Output).GetProperty("messages");
        Assert.Equal(
            ours.EnumerateArray()
                .Select(message =>
                    (
                        message.GetProperty("type").GetString(),
                        message.GetProperty("id").GetString(),
                        message.GetProperty("content").GetString()
                    )
                ),
            theirs
                .GetProperty("messages")
                .EnumerateArray()
                .Select(message => (message[0].GetString(), message[1].GetString(), message[2].GetString()))
        );
        var checkpoints = (await program.RunAsync("history", "demo", "--json"))
            .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line).GetProperty("checkpoint_id").GetString()!);
        Assert.Equal(checkpoints, theirs.GetProperty("listed").EnumerateArray().Select(id => id.GetString()!));
        Assert.Equal("loop", theirs.GetProperty("source").GetString());
        Assert.Contains("todos", theirs.GetProperty("channels").EnumerateArray().Select(name => name.GetString()));
        var history = theirs.GetProperty("history").EnumerateArray().Select(count => count.GetInt32()).ToList();
        Assert.Equal(history.OrderDescending(), history);
        Assert.Equal(ours.GetArrayLength(), history[0]);
    }
}
