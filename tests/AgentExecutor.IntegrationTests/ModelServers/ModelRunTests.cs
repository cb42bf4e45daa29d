using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>The real program with models behind HTTP.</summary>
public sealed class ModelRunTests : IDisposable
{
    private const string Bare =
        """{"name": "bare", "nodes": [{"id": "a", "type": "orchestrator", "config": {"system_prompt": "You are brief."}}]}""";

    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task Agents_of_two_providers_work_as_a_team()
    {
        using var tool = new CountingServer();
        await using var server = await ModelServer.StartAsync(call =>
            (call.System.StartsWith("You lead.", StringComparison.Ordinal), call.Turn) switch
            {
                (true, 0) => ModelReply.Asks(
                    new("t", "write_todos", """{"todos": [{"content": "research", "status": "in_progress"}]}"""),
                    new("a", "task", """{"subagent_type": "researcher", "description": "Count apples."}"""),
                    new("b", "task", """{"subagent_type": "researcher", "description": "Count pears."}""")
                ),
                (true, 1) => ModelReply.Asks(
                    new ModelToolCall(
                        "w",
                        "write_file",
                        JsonSerializer.Serialize(new { file_path = "/found.md", content = string.Join('\n', call.Results.Skip(1)) })
                    )
                ),
                (true, _) => ModelReply.Says("Both are counted."),
                (false, 0) => ModelReply.Asks(
                    new ModelToolCall(
                        "c",
                        "count",
                        JsonSerializer.Serialize(
                            new { who = call.Messages[^1].GetRawText().Contains("pears", StringComparison.Ordinal) ? "pears" : "apples" }
                        )
                    )
                ),
                _ => ModelReply.Says($"I {call.Results[0]}."),
            }
        );
        Point(server);
        var definition = $$$"""
            {"name": "team", "tool_definitions": [{"name": "count", "description": "Counts.",
              "runtime": {"type": "http", "url": "{{{tool.Url}}}"}, "parameters": {"properties": {"who": {"type": "string"} } } }],
             "nodes": [{"id": "lead", "type": "orchestrator", "config": {"system_prompt": "You lead.", "model": "openai:gpt-5-mini"}},
                       {"id": "researcher", "type": "specialist",
                         "config": {"description": "Counts fruit.", "system_prompt": "You count.", "tools": ["count"],
                        "model": {"provider": "anthropic", "model": "claude-haiku-4-5", "temperature": 1.5} } }]}
            """;

        var result = await _program.RunAsync(
            "run",
            _program.WriteFile("agent.json", definition),
            "--input",
            "Count fruit.",
            "--out",
            _program.File("out")
        );

        Assert.Equal((0, "Both are counted.\n"), (result.ExitCode, result.Output));
        Assert.Equal(
            """
            I counted {"who":"apples"}.
            I counted {"who":"pears"}.
            """,
            await File.ReadAllTextAsync(_program.File("out/found.md"), TestContext.Current.CancellationToken)
        );
        Assert.Equal((3, 4), (Asked(server, "gpt-5-mini"), Asked(server, "claude-haiku-4-5")));
        Assert.Contains("7 model calls", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("openai:gpt-5-mini")]
    [InlineData("anthropic:claude-haiku-4-5")]
    public async Task The_log_triage_sample_works_with_a_model_that_is_not_scripted(string model)
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "log-triage");
        var log = await File.ReadAllLinesAsync(Path.Combine(sample, "logs", "access.log"), TestContext.Current.CancellationToken);
        await using var server = await ModelServer.StartAsync(Triage);
        Point(server);

        var result = await _program.RunAsync(
            "run",
            Path.Combine(sample, "agent.json"),
            "--mount",
            Path.Combine(sample, "logs"),
            "--input",
            "What went wrong?",
            "--out",
            _program.File("out"),
            "--model",
            model
        );

        Assert.True(result.ExitCode == 0, result.Error);
        var report = await File.ReadAllTextAsync(_program.File("out/report.md"), TestContext.Current.CancellationToken);
        Assert.Contains($"502: {log.Count(line => line.Contains("\" 502 ", StringComparison.Ordinal))}", report, StringComparison.Ordinal);
        Assert.Contains(
            $"Googlebot: {log.Count(line => line.Contains("Googlebot", StringComparison.Ordinal))}",
            report,
            StringComparison.Ordinal
        );
    }

    /// <summary>Acts as a model that knows only the prompts of the sample.</summary>
    private static ModelReply Triage(ModelCall call)
    {
        var findings = Regex.Match(call.System, @"/findings/\w+\.md").Value;
        var isLead = call.System.Contains("Delegate", StringComparison.Ordinal);
        return (isLead, call.Turn) switch
        {
            (true, 0) => ModelReply.Asks(new ModelToolCall("1", "ls", """{"path": "/"}""")),
            (true, 1) => ModelReply.Asks([
                .. ((string[])["error-analyst", "traffic-analyst"]).Select(
                    (name, i) =>
                        new ModelToolCall(
                            $"2-{i}",
                            "task",
                            JsonSerializer.Serialize(
                                new { subagent_type = name, description = $"Look at {call.Results[0].Split('\n')[0].Split(' ')[0]}." }
                            )
                        )
                ),
            ]),
            (true, 2) => ModelReply.Asks([
                .. ((string[])["errors", "traffic"]).Select(
                    (name, i) => new ModelToolCall($"3-{i}", "read_file", $$"""{"file_path": "/findings/{{name}}.md"}""")
                ),
            ]),
            (true, 3) => ModelReply.Asks(
                new ModelToolCall(
                    "4",
                    "write_file",
                    JsonSerializer.Serialize(
                        new { file_path = Regex.Match(call.System, @"/report\.md").Value, content = string.Join('\n', call.Results) }
                    )
                )
            ),
            (true, _) => ModelReply.Says("The checkout failed."),
            (false, 0) => ModelReply.Asks(
                new ModelToolCall(
                    "5",
                    "grep",
                    JsonSerializer.Serialize(
                        new
                        {
                            pattern = findings.Contains("errors", StringComparison.Ordinal) ? "\" 502 " : "Googlebot",
                            path = Regex.Match(call.Messages[^1].GetRawText(), @"/[\w./]+\.log").Value,
                            output_mode = "count",
                        }
                    )
                )
            ),
            (false, 1) => ModelReply.Asks(
                new ModelToolCall(
                    "6",
                    "write_file",
                    JsonSerializer.Serialize(
                        new
                        {
                            file_path = findings,
                            content = (findings.Contains("errors", StringComparison.Ordinal) ? "502: " : "Googlebot: ")
                                + Regex.Match(call.Results[0], @"\d+$", RegexOptions.Multiline).Value,
                        }
                    )
                )
            ),
            _ => ModelReply.Says($"It is in {findings}."),
        };
    }

    [Fact]
    public async Task A_model_sees_images_and_which_of_its_calls_failed()
    {
        await using var server = await ModelServer.StartAsync(call =>
            call.Number == 0
                ? ModelReply.Asks(
                    new("1", "read_file", """{"file_path": "/nope.md"}"""),
                    new("2", "read_file", "{\"file_path\":"),
                    new("3", "write_todos", """{"todos": []}""")
                )
                : ModelReply.Says("A cat.")
        );
        Point(server);
        const string Input =
            """{"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}"""
            + """, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}]}]}""";

        var result = await _program.RunAsync(
            "run",
            _program.WriteFile("bare.json", Bare),
            "--input",
            Input,
            "--model",
            "anthropic:claude-haiku-4-5"
        );

        Assert.Equal((0, "A cat.\n"), (result.ExitCode, result.Output));
        Assert.Contains(
            """{"type":"base64","media_type":"image/png","data":"iVBORw=="}""",
            server.Calls[1].Body.GetRawText(),
            StringComparison.Ordinal
        );
        Assert.Equal(
            [true, true, false],
            server
                .Calls[1]
                .Messages[^1]
                .GetProperty("content")
                .EnumerateArray()
                .Select(it => it.TryGetProperty("is_error", out var failed) && failed.GetBoolean())
        );
    }

    [Fact]
    public async Task The_thinking_of_a_model_is_kept_for_it_and_not_shown()
    {
        await using var server = await ModelServer.StartAsync(call =>
            call.Number < 2
                ? new ModelReply
                {
                    Reasoning = "Let me look.",
                    ThinksOn = true,
                    Calls = [new ModelToolCall($"c{call.Number}", "ls", """{"path": "/"}""")],
                }
                : ModelReply.Says("Nothing there.")
        );
        Point(server);
        _program.Variables["LLM_MODEL_NAME"] = "claude-haiku-5-5";

        var result = await RunBareAsync("--events", "jsonl", "--thread", "t");
        var kept = await _program.RunAsync("show", "t", "--json");

        Assert.True(result.ExitCode == 0 && kept.ExitCode == 0, result.Error + kept.Error);
        Assert.Equal((3, 0), (server.Calls.Count, server.Refused.Count));
        Assert.Equal(
            4,
            server
                .Calls[2]
                .Messages.SelectMany(it => it.GetProperty("content").EnumerateArray())
                .Count(it => it.TryGetProperty("signature", out _))
        );
        Assert.Contains("thinking_blocks", kept.Output, StringComparison.Ordinal);
        Assert.Contains("Let me look.", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("thinking_blocks", result.Output + result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("signature", result.Output + result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_to_a_busy_server_is_repeated_after_the_wait_that_the_server_names()
    {
        await using var server = await ModelServer.StartAsync(call =>
            call.Number == 0 ? ModelReply.Refuses(429, "{}", ("retry-after-ms", "50")) : ModelReply.Says("Now.")
        );
        Point(server);

        var result = await RunBareAsync("--model", "openai:gpt-5-mini");

        Assert.Equal((0, "Now.\n", 2), (result.ExitCode, result.Output, server.Calls.Count));
    }

    [Theory]
    [InlineData("openai:gpt-5-mini")]
    [InlineData("anthropic:claude-haiku-4-5")]
    public async Task A_key_that_the_server_echoes_appears_nowhere(string model)
    {
        await using var server = await ModelServer.StartAsync(call =>
            call.Number == 0
                ? ModelReply.Asks(new ModelToolCall("1", "ls", """{"path": "/"}"""))
                : ModelReply.Refuses(
                    400,
                    """{"error": {"type": "invalid_request_error", "message": "You sent x-api-key:"""
                        + $$""" {{ModelServer.Key}} and Authorization: Bearer {{ModelServer.Key}}, {{ModelServer.Key}}!"} }"""
                )
        );
        Point(server);

        var failed = await RunBareAsync("--model", model, "--events", "jsonl", "--verbose", "--thread", "t");
        var shown = await _program.RunAsync("show", "t", "--json");
        _program.Variables["OPENAI_API_KEY"] = _program.Variables["ANTHROPIC_API_KEY"] = ModelServer.Key.ToUpperInvariant();
        var refused = await RunBareAsync("--model", model);

        Assert.Equal((1, 1), (failed.ExitCode, refused.ExitCode));
        Assert.Contains("You sent", failed.Output, StringComparison.Ordinal);
        foreach (var text in (string[])[failed.Output, failed.Error, shown.Output, shown.Error, refused.Output, refused.Error])
        {
            Assert.DoesNotContain("planted", text, StringComparison.OrdinalIgnoreCase);
        }
        foreach (var file in Directory.GetFiles(_program.File("data"), "*", SearchOption.AllDirectories))
        {
            Assert.DoesNotContain(
                "planted",
                System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken)),
                StringComparison.OrdinalIgnoreCase
            );
        }
    }

    [Fact]
    public async Task Variables_that_the_SDKs_read_are_not_sent()
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"), isOpen: true);
        _program.Variables["ANTHROPIC_AUTH_TOKEN"] = "stray-token";
        _program.Variables["ANTHROPIC_CUSTOM_HEADERS"] = "X-Stray: stray-header";
        _program.Variables["ANTHROPIC_API_KEY"] = _program.Variables["OPENAI_API_KEY"] = "stray-key";
        foreach (var provider in (string[])["anthropic", "openai"])
        {
            var url = provider == "anthropic" ? server.Url : server.OpenAIUrl;
            var definition = Bare.Replace(
                "\"system_prompt\"",
                $$"""
                "model": {"provider": "{{provider}}", "model": "m", "base_url": "{{url}}" }, "system_prompt"
                """,
                StringComparison.Ordinal
            );

            var result = await _program.RunAsync("run", _program.WriteFile("agent.json", definition), "--input", "Hi");

            Assert.True(result.ExitCode == 0, result.Error);
        }

        Assert.Equal(2, server.Calls.Count);
        Assert.All(
            server.Calls,
            call => Assert.DoesNotContain(call.Headers, header => header.Value.Contains("stray", StringComparison.Ordinal))
        );
    }

    [Fact]
    public async Task A_model_that_cannot_be_used_is_reported_before_the_run()
    {
        var noKey = await RunBareAsync("--model", "openai:gpt-5-mini");
        var noServer = await RunBareAsync("--model", "openai-compatible:m");
        _program.Variables["LLM_MODEL_NAME"] = "claude-haiku-4-5";
        var byDefault = await RunBareAsync();
        var noModel = await _program.RunAsync(
            "run",
            _program.WriteFile(
                "b.json",
                Bare.Replace("\"system_prompt\"", "\"model\": {\"provider\": \"ollama\"}, \"system_prompt\"", StringComparison.Ordinal)
            ),
            "--input",
            "Hi"
        );

        Assert.Equal([2, 2, 2, 2], ((ProgramResult[])[noKey, noServer, byDefault, noModel]).Select(it => it.ExitCode));
        Assert.Contains("set OPENAI_API_KEY", noKey.Error, StringComparison.Ordinal);
        Assert.Contains("set OPENAI_COMPATIBLE_BASE_URL", noServer.Error, StringComparison.Ordinal);
        Assert.Contains("set ANTHROPIC_API_KEY", byDefault.Error, StringComparison.Ordinal);
        Assert.Contains("no model of ollama is specified", noModel.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_does_not_connect_to_a_private_server_that_only_a_definition_names()
    {
        await using var model = await ModelServer.StartAsync(ModelReply.Says("ok"), isOpen: true);
        var definition = Bare.Replace(
            "\"system_prompt\"",
            $$"""
            "model": {"provider": "openai-compatible", "model": "m", "base_url": "{{model.OpenAIUrl}}" }, "system_prompt"
            """,
            StringComparison.Ordinal
        );
        await using (var closed = await ApiServer.StartAsync())
        {
            var refused = await closed.PostAsync("/", JobRequests.Data("one", definition));
            Assert.Contains("not a public address", refused.Body, StringComparison.Ordinal);
        }
        Assert.Empty(model.Calls);

        await using var open = await ApiServer.StartAsync(
            null,
            new Dictionary<string, string> { ["AGENT_EXECUTOR_MODEL_SERVERS_ALLOWED_HOSTS"] = "127.0.0.1" }
        );
        await open.PostAsync("/", JobRequests.Data("two", definition));

        Assert.Single(model.Calls);
    }

    public void Dispose() => _program.Dispose();

    private Task<ProgramResult> RunBareAsync(params string[] args) =>
        _program.RunAsync(["run", _program.WriteFile("bare.json", Bare), "--input", "Hi", .. args]);

    private void Point(ModelServer server)
    {
        (_program.Variables["OPENAI_API_KEY"], _program.Variables["OPENAI_BASE_URL"]) = (ModelServer.Key, server.OpenAIUrl);
        (_program.Variables["ANTHROPIC_API_KEY"], _program.Variables["ANTHROPIC_BASE_URL"]) = (ModelServer.Key, server.Url);
    }

    private static int Asked(ModelServer server, string model) =>
        server.Calls.Count(call => call.Body.GetProperty("model").GetString() == model);
}
