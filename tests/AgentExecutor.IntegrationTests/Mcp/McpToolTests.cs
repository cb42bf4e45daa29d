using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Mcp;

/// <summary>Agents of the real program that use the tools of a real MCP server over HTTP.</summary>
public sealed class McpToolTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    [Theory]
    [InlineData("lab_sum", """{"a": 2, "b": 40}""", "42")]
    [InlineData("lab_structured", "{}", """{"degrees":21}""")]
    [InlineData("lab_broken", "{}", "Error")]
    [InlineData("lab_sum", """{"a": "two", "b": 40}""", "Error: $.a must be integer, not string")]
    [InlineData("lab_missing", "{}", "Error: there is no tool 'lab_missing'. Your tools are edit_file")]
    [InlineData("lab", "{}", "The tools are available now: lab_ask, lab_ask_once, lab_broken")]
    [InlineData("lab_picture", "{}", "(image/png, 6 bytes: its data is in the file /tool_results/lab_picture-")]
    public async Task The_tools_of_a_server_have_a_prefix(string tool, string arguments, string expected)
    {
        await using var server = await McpTestServer.StartAsync();

        var result = await RunAsync(Agent(server.Url, Call(tool, arguments)));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith(expected, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_has_an_idempotency_key()
    {
        await using var server = await McpTestServer.StartAsync();

        await RunAsync(Agent(server.Url, Call("lab_record", """{"text": "a"}""")));

        Assert.NotEmpty(Assert.Single(server.Keys));
    }

    [Fact]
    public async Task One_tool_can_have_a_name_and_a_schema_of_its_own()
    {
        await using var server = await McpTestServer.StartAsync();
        var definition = Agent(server.Url, Call("add", """{"a": 1, "b": 2}"""), """, "tool": "sum" """)
            .Replace("\"name\": \"lab\"", "\"name\": \"add\", \"description\": \"Adds.\"", StringComparison.Ordinal);

        var result = await RunAsync(definition.Replace("\"tools\": [\"lab\"]", "\"tools\": [\"add\"]", StringComparison.Ordinal));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("3\n", result.Output);
    }

    [Fact]
    public async Task Only_the_selected_tools_can_be_called()
    {
        await using var server = await McpTestServer.StartAsync();

        var result = await RunAsync(Agent(server.Url, Call("lab_record", """{"text": "a"}"""), """, "tools": ["su*", "work"] """));

        Assert.Contains("there is no tool 'lab_record'", result.Output, StringComparison.Ordinal);
        Assert.Contains("lab_sum, lab_work, ls", result.Output, StringComparison.Ordinal);
        Assert.Empty(server.Keys);
    }

    [Fact]
    public async Task A_server_that_is_down_gives_a_tool_error_and_the_definition_is_valid()
    {
        await using var server = await McpTestServer.StartAsync();
        var url = server.Url;
        await server.DisposeAsync();
        var definition = Agent(url, Call("lab_sum", """{"a": 2, "b": 40}"""));

        var check = await _program.RunAsync("check", _program.WriteFile("agent.json", definition));
        var result = await RunAsync(definition);

        Assert.True(check.ExitCode == 0, check.Output);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith("Error: the MCP server 'lab' cannot be reached: ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_tool_can_be_called_after_the_server_has_announced_it()
    {
        await using var server = await McpTestServer.StartAsync();
        const string Script = """
            [{"tool_calls": [{"name": "lab_grow", "args": {}}]}, {"tool_calls": [{"name": "lab_grown", "args": {}}]}, {"text": "{{last}}"}]
            """;

        var result = await RunAsync(Agent(server.Url, Script));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("grown\n", result.Output);
    }

    [Fact]
    public async Task Progress_is_published()
    {
        await using var server = await McpTestServer.StartAsync();
        var file = _program.WriteFile("agent.json", Agent(server.Url, Call("lab_work", "{}")));

        var result = await _program.RunAsync("run", file, "--input", "x", "--events", "jsonl");

        var progress = Assert.Single(result.Output.Split('\n'), line => line.Contains("on_tool_progress", StringComparison.Ordinal));
        var data = JsonElement.Parse(progress).GetProperty("data");
        Assert.Equal("lab_work", data.GetProperty("name").GetString());
        Assert.Contains("all parts", progress, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lab_ask", """{"decision": "respond", "value": {"colour": "red"}}""", "the car is red\n")]
    [InlineData("lab_ask", """{"colour": "red"}""", "the car is red\n")]
    [InlineData("lab_ask", "reject", "no colour: decline\n")]
    [InlineData("lab_ask_once", """{"colour": "red"}""", "the car is red\n")]
    public async Task A_question_of_the_server_is_answered_by_a_person(string tool, string answer, string expected)
    {
        await using var server = await McpTestServer.StartAsync();
        var file = _program.WriteFile("agent.json", Agent(server.Url, Call(tool, """{"topic": "car"}""")));

        var asked = await _program.RunAsync("run", file, "--input", "x", "--thread", "t");
        Assert.True(asked.ExitCode == 3, asked.Output + asked.Error);
        Assert.Contains("Which colour has the car?", asked.Output + asked.Error, StringComparison.Ordinal);
        var invalid = await _program.RunAsync("resume", "t", "--answer", """{"colour": "r"}""");
        Assert.Contains("must have at least 2 characters", invalid.Output + invalid.Error, StringComparison.Ordinal);
        var result = await _program.RunAsync("resume", "t", "--answer", answer);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(expected, result.Output);
        Assert.Single(server.Keys.Distinct());
        Assert.NotEmpty(server.Keys.First());
    }

    [Fact]
    public async Task The_calls_of_all_tools_of_a_server_can_require_approval()
    {
        await using var server = await McpTestServer.StartAsync();
        var definition = Agent(server.Url, Call("lab_record", """{"text": "a"}"""))
            .Replace("\"tools\": [\"lab\"]", "\"tools\": [\"lab\"], \"interrupt_on\": {\"lab\": true}", StringComparison.Ordinal);

        var asked = await RunAsync(definition);

        Assert.Equal(3, asked.ExitCode);
        Assert.Empty(server.Keys);
    }

    [Fact]
    public async Task A_service_does_not_connect_to_private_addresses()
    {
        await using var server = await McpTestServer.StartAsync();
        _program.Variables["AGENT_EXECUTOR_HTTP_TOOLS_ALLOW_PRIVATE_NETWORKS"] = "false";

        var result = await RunAsync(Agent(server.Url, Call("lab_sum", """{"a": 2, "b": 40}""")));

        Assert.Contains("does not have a public address", result.Output, StringComparison.Ordinal);
        Assert.Empty(server.Authorizations);
    }

    [Fact]
    public async Task An_operator_can_configure_a_server_with_a_secret()
    {
        await using var server = await McpTestServer.StartAsync();
        _program.Variables["LAB_TOKEN"] = "s3cret-token";
        _program.Variables["AGENT_EXECUTOR_MCP_SERVERS_FILE"] = _program.WriteFile(
            "servers.json",
            """{"mcpServers": {"laboratory": {"url": "URL", "headers": {"Authorization": "Bearer ${LAB_TOKEN}"}}}}""".Replace(
                "URL",
                server.Url,
                StringComparison.Ordinal
            )
        );
        var definition = Agent(server.Url, Call("lab_sum", """{"a": 2, "b": 40}"""))
            .Replace($"\"url\": \"{server.Url}\"", "\"server\": \"laboratory\"", StringComparison.Ordinal);

        var result = await RunAsync(definition);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("42\n", result.Output);
        Assert.All(server.Authorizations, header => Assert.Equal("Bearer s3cret-token", header));
    }

    [Fact]
    public async Task A_server_that_is_not_configured_is_reported_with_its_path()
    {
        var definition = Agent("http://x/", "[]").Replace("\"url\": \"http://x/\"", "\"server\": \"laboratory\"", StringComparison.Ordinal);

        var result = await RunAsync(definition.Replace("[]", """[{"text": "x"}]""", StringComparison.Ordinal));

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("$.tool_definitions[0].runtime.server", result.Error, StringComparison.Ordinal);
        Assert.Contains("AGENT_EXECUTOR_MCP_SERVERS_FILE", result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private static string Call(string tool, string arguments) =>
        $$$"""[{"tool_calls": [{"name": "{{{tool}}}", "args": {{{arguments}}}}]}, {"text": "{{last}}"}]""";

    private static string Agent(string url, string script, string more = "") =>
        $$$"""
            {"tool_definitions": [{"name": "lab", "runtime": {"type": "mcp", "url": "{{{url}}}" {{{more}}} }}],
             "nodes": [{"id": "a", "type": "orchestrator", "config": {"tools": ["lab"],
               "model": {"provider": "scripted", "model": "m", "script": {{{script}}} } }}]}
            """;

    private Task<ProgramResult> RunAsync(string definition) =>
        _program.RunAsync("run", _program.WriteFile("agent.json", definition), "--input", "x", "--thread", "t");
}
