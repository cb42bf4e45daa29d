using System.Text.Json;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Commands;

/// <summary>Checks of definitions and ids by commands.</summary>
public sealed class DefinitionCommandTests(ApiFixture api) : IDisposable
{
    private const string Faulty = """
        {"nodes": [{"id": "a", "type": "orchestrater", "tools": ["nope"]}, {"id": "a", "type": "tool"}],
          "edges": [{"from": "a", "to": "b"}], "limit": {}}
        """;

    private readonly AgentExecutorProgram _program = new();

    [Theory]
    [InlineData("""{"nodes": [{"id": "a", "type": "orchestrator", "model": "openai:gpt-6-luna"}]}""", "OPENAI_API_KEY")]
    [InlineData("""{"nodes": [{"id": "a", "type": "orchestrator", "model": "anthropic:claude-haiku-5-5"}]}""", "ANTHROPIC_API_KEY")]
    [InlineData("""{"nodes": [{"id": "a", "type": "orchestrator", "model": "openai-compatible:x"}]}""", "OPENAI_COMPATIBLE_BASE_URL")]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "orchestrator"}, {"id": "b", "type": "specialist", "description": "d"}]}""",
        "LLM_MODEL_NAME"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "orchestrator", "model": "openai-compatible:x", "base_url": "y"}],
              "budget": {"run": {"cost_usd": 1}}}
            """,
        "AGENT_EXECUTOR_PRICES_FILE"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "openai", "model": "x", "fallbacks": ["anthropic:y"]}}],
              "edges": [{"from": "START", "to": "a"}]}
            """,
        "ANTHROPIC_API_KEY"
    )]
    public async Task A_valid_definition_passes_the_check_without_keys(string definition, string needed)
    {
        var file = _program.WriteFile("agent.json", definition);

        var (text, json, drawn) = (
            await _program.RunAsync("check", file),
            await _program.RunAsync("check", file, "--json"),
            await _program.RunAsync("check", file, "--mermaid")
        );

        Assert.Equal((0, 0, 0), (text.ExitCode, json.ExitCode, drawn.ExitCode));
        Assert.Contains(needed, text.Output, StringComparison.Ordinal);
        Assert.Contains("warning at $.nodes[0]", text.Output, StringComparison.Ordinal);
        Assert.Contains("needed to run it on this machine", text.Output, StringComparison.Ordinal);
        Assert.True(JsonElement.Parse(json.Output).GetProperty("valid").GetBoolean());
        Assert.StartsWith("flowchart TD", drawn.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await _program.RunAsync("run", file, "--input", "x")).ExitCode); // No key is set.
    }

    /// <summary>
    /// The operator of the service decides which secrets and hosts tools may use, so a machine that only checks or submits a definition
    /// must not refuse it.
    /// </summary>
    [Fact]
    public async Task Check_warns_of_hosts_and_secrets_that_tools_may_not_use_and_submit_ignores_them()
    {
        const string Definition = """
            {"nodes": [{"id": "a", "type": "orchestrator", "model": {"provider": "scripted", "model": "m", "script": [{"text": "hello"}]},
              "tools": ["rate"]}],
             "tool_definitions": [{"name": "rate", "description": "d", "runtime": {
               "type": "http", "url": "https://rates.example/", "headers": {"Authorization": {"env": "RATES_KEY", "prefix": "Bearer "}}}}]}
            """;
        using var program = new AgentExecutorProgram { Postgres = new Adapters.Postgres.PostgresSettings() };
        var file = program.WriteFile("agent.json", Definition);

        var (check, run) = (await program.RunAsync("check", file), await program.RunAsync("run", file, "--input", "x"));
        var submit = await program.RunAsync("submit", file, "--input", "x", "--to", "http://127.0.0.1:1");

        Assert.True(check.ExitCode == 0, check.Output);
        Assert.Contains(
            "needed to run it on this machine: definitions are not allowed to use the secret 'RATES_KEY' here",
            check.Output,
            StringComparison.Ordinal
        );
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("AGENT_EXECUTOR_HTTP_TOOLS_ALLOWED_SECRETS", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("RATES_KEY", submit.Error, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1:1", submit.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submit_reports_the_same_faults_of_a_definition_as_check()
    {
        var server = await api.ServerAsync();
        var (file, job) = (_program.WriteFile("bad.json", Faulty), _program.WriteFile("job.json", JobRequests.Data("bad-job", Faulty)));

        var check = await _program.RunAsync("check", file);
        using var sender = new AgentExecutorProgram { Postgres = new Adapters.Postgres.PostgresSettings() };
        var submit = await sender.RunAsync("submit", file, "--input", "x", "--to", server.Http.BaseAddress!.ToString());
        var whole = await sender.RunAsync("submit", job, "--to", server.Http.BaseAddress!.ToString());

        Assert.Equal((2, 2, 2), (check.ExitCode, submit.ExitCode, whole.ExitCode));
        Assert.True(FaultsIn(check.Output).Count >= 5, check.Output);
        Assert.Empty(FaultsIn(check.Output).Except(FaultsIn(submit.Error)));
        Assert.Empty(FaultsIn(check.Output).Except(FaultsIn(whole.Error)));
        Assert.Equal(404, (int)(await server.StateAsync("bad-job")).Status);
    }

    /// <summary>A definition that can be checked and run can also be submitted.</summary>
    [Fact]
    public async Task A_definition_with_a_byte_order_mark_comments_and_trailing_commas_can_be_submitted()
    {
        var server = await api.ServerAsync();
        using var sender = new AgentExecutorProgram { Postgres = new Adapters.Postgres.PostgresSettings() };
        var file = sender.WriteFile(
            "agent.json",
            """
            \uFEFF{ // an agent
              "name": "said", "nodes": [{"id": "a", "type": "orchestrator",
                "model": {"provider": "scripted", "model": "m", "script": [{"text": "you said {{input}}"},]}}],
            }
            """.Replace("\\uFEFF", "\uFEFF", StringComparison.Ordinal)
        );

        var result = await sender.RunAsync("submit", file, "--input", "x", "--wait", "--to", server.Http.BaseAddress!.ToString());

        Assert.Equal((0, "you said x"), (result.ExitCode, result.Output.Trim()));
    }

    [Fact]
    public async Task Submit_leaves_keys_and_limits_to_the_service()
    {
        using var sender = new AgentExecutorProgram { Postgres = new Adapters.Postgres.PostgresSettings() };
        var file = sender.WriteFile(
            "agent.json",
            """{"nodes": [{"id": "a", "type": "orchestrator", "model": "openai:gpt-6-luna"}], "limits": {"max_supersteps": 5000000}}"""
        );

        var result = await sender.RunAsync("submit", file, "--input", "x", "--to", "http://127.0.0.1:1");

        Assert.Equal(5, result.ExitCode);
        Assert.Contains("no service answers", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a b")]
    [InlineData("a/b")]
    public async Task An_id_that_no_URL_can_contain_is_refused_everywhere(string id)
    {
        var file = _program.WriteFile("agent.json", JobRequests.Echo);
        var server = await api.ServerAsync();
        await _program.RunAsync("run", file, "--input", "x", "--thread", "good");
        using var sender = new AgentExecutorProgram { Postgres = new Adapters.Postgres.PostgresSettings() };

        Assert.Equal(2, (await _program.RunAsync("run", file, "--input", "x", "--thread", id)).ExitCode);
        Assert.Equal(2, (await _program.RunAsync("resume", id)).ExitCode);
        Assert.Equal(2, (await _program.RunAsync("show", id)).ExitCode);
        Assert.Equal(2, (await _program.RunAsync("fork", "good", "--to", id)).ExitCode);
        Assert.Equal(
            2,
            (await sender.RunAsync("submit", file, "--input", "x", "--run-id", id, "--to", server.Http.BaseAddress!.ToString())).ExitCode
        );
        Assert.Equal(400, (int)(await server.PostAsync("/", JobRequests.Data(id))).Status);
        Assert.Equal(400, (int)(await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id))).Status);
    }

    [Theory]
    [InlineData("threads", "--limit", "many", "--limit takes a number of 1 or more, not 'many'")]
    [InlineData(
        "threads",
        "--status",
        "lost",
        "--status takes one of pending, running, interrupted, waiting, completed, failed, cancelled, not 'lost'"
    )]
    [InlineData(
        "threads",
        "--status",
        "7",
        "--status takes one of pending, running, interrupted, waiting, completed, failed, cancelled, not '7'"
    )]
    [InlineData("serve", "--port", "eighty", "--port takes a whole number, not 'eighty'")]
    [InlineData("prune", "--older-than", "soon", "--older-than takes a duration such as 90s, 15m, 2h or 30d, not 'soon'")]
    [InlineData("resume", "--events", "yaml", "--events takes one of jsonl, not 'yaml'")]
    [InlineData("theads", "--limit", "1", "there is no command 'theads'; did you mean 'threads'?")]
    public async Task Errors_of_the_command_line_name_options_and_expected_values(
        string command,
        string option,
        string value,
        string expected
    )
    {
        var result = await _program.RunAsync(command == "resume" ? [command, "t", option, value] : [command, option, value]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"error: {expected}\n", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private static List<string> FaultsIn(string output) =>
        [.. output.Split('\n').Where(line => line.StartsWith("  error at ", StringComparison.Ordinal)).Select(line => line.Trim())];
}
