using System.Diagnostics;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Interop;

/// <summary>Agents with a third-party model server.</summary>
public sealed class ModelServersTests
{
    private const string Agent =
        """{"name": "bare", "nodes": [{"id": "a", "type": "orchestrator", "config": {"system_prompt": "You are brief."}}]}""";

    [Fact]
    public async Task An_agent_works_with_a_third_party_model_server()
    {
        using var program = new AgentExecutorProgram();
        await NodePackage.InstallAsync(program, "models");
        using var mock = new RunningProgram(
            Process.Start(
                new ProcessStartInfo("node", ["serve.mjs"])
                {
                    WorkingDirectory = program.Directory,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                }
            )!
        );
        var url = await mock.ReadLineAsync();
        program.Variables["OPENAI_API_KEY"] = program.Variables["ANTHROPIC_API_KEY"] = "any";
        (program.Variables["OPENAI_BASE_URL"], program.Variables["ANTHROPIC_BASE_URL"]) = ($"{url}/v1", url!);
        var agent = program.WriteFile("agent.json", Agent);

        foreach (var model in (string[])["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"])
        {
            var answered = await program.RunAsync("run", agent, "--input", "Which files are there?", "--model", model, "--events", "jsonl");
            var refused = await program.RunAsync(
                "run",
                agent,
                "--input",
                string.Concat(Enumerable.Repeat("overflow ", 200)),
                "--model",
                model
            );

            Assert.True(answered.ExitCode == 0, answered.Error);
            var messages = answered
                .Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonElement.Parse(line))
                .Last(line => line.GetProperty("event_type").GetString() == "on_state_update")
                .GetProperty("data")
                .GetProperty("messages")
                .EnumerateArray()
                .ToList();
            Assert.Equal(["human", "ai", "tool", "tool", "ai"], messages.Select(message => message.GetProperty("type").GetString()));
            Assert.Equal(
                ("There are no files.", "Let me think."),
                (messages[^1].GetProperty("content").GetString(), messages[^1].GetProperty("reasoning").GetString())
            );
            Assert.Equal(1, refused.ExitCode);
            Assert.True(refused.Error.Contains("model_context_overflow", StringComparison.Ordinal), refused.Error);
        }
    }
}
