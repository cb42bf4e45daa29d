using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using AgentExecutor.IntegrationTests.Interop;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Mcp;

/// <summary>The reference servers of MCP, in the sandbox and over HTTP.</summary>
public sealed class McpServersTests : IDisposable
{
    private static readonly string Everything = Path.Combine(
        "node_modules",
        "@modelcontextprotocol",
        "server-everything",
        "dist",
        "index.js"
    );

    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task The_sample_uses_two_servers_in_the_sandbox()
    {
        await InstallAsync();
        Directory.CreateDirectory(_program.File("shelf"));
        File.Copy(Path.Combine(AgentExecutorProgram.Root, "samples", "mcp", "shelf", "books.txt"), _program.File("shelf/books.txt"));
        _program.Variables["MCP_SAMPLE"] = _program.Directory;
        _program.Variables["AGENT_EXECUTOR_MCP_SERVERS_FILE"] = _program.File("servers.json");

        var result = await _program.RunAsync(
            "run",
            _program.File("agent.json"),
            "--input",
            _program.File("shelf/books.txt"),
            "--out",
            _program.File("out")
        );

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            "The shelf has \"Ada Lovelace: Notes on the Analytical Engine\". The sum of 2 and 40 is 42. image/png\n",
            result.Output
        );
        Assert.Single(Directory.GetFiles(_program.File("out/tool_results")));
    }

    [Fact]
    public async Task A_question_of_a_server_of_an_earlier_revision_is_answered_by_a_person()
    {
        await InstallAsync();
        var port = FreePort();
        using var server = Start(port);
        var file = _program.WriteFile(
            "own.json",
            """
            {"tool_definitions": [{"name": "lab", "runtime": {"type": "mcp", "url": "http://127.0.0.1:PORT/mcp"}}],
             "nodes": [{"id": "a", "type": "orchestrator", "config": {"tools": ["lab"], "model": {"provider": "scripted", "model": "m",
               "script": [{"tool_calls": [{"name": "lab_trigger-elicitation-request", "args": {}}]}, {"text": "{{last}}"}]}}}]}
            """.Replace("PORT", $"{port}", StringComparison.Ordinal)
        );
        try
        {
            await server.StandardError.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(AgentExecutorProgram.Limit);
            await Wait.UntilAsync(() => Accepts(port));

            var asked = await _program.RunAsync("run", file, "--input", "x", "--thread", "t");
            var answered = await _program.RunAsync("resume", "t", "--answer", """{"decision": "respond", "value": {"name": "Grace"}}""");

            Assert.True(asked.ExitCode == 3, asked.Output + asked.Error);
            Assert.True(answered.ExitCode == 0, answered.Error);
            Assert.Contains("Grace", answered.Output, StringComparison.Ordinal);
        }
        finally
        {
            server.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task A_program_that_is_not_a_server_gives_a_tool_error_with_what_it_wrote()
    {
        var file = _program.WriteFile(
            "own.json",
            """
            {"tool_definitions": [{"name": "lab", "runtime": {"type": "mcp", "command": "ls", "args": ["/no-such-folder"]}}],
             "nodes": [{"id": "a", "type": "orchestrator", "config": {"tools": ["lab"], "model": {"provider": "scripted", "model": "m",
               "script": [{"tool_calls": [{"name": "lab", "args": {}}]}, {"text": "{{last}}"}]}}}]}
            """
        );

        var result = await _program.RunAsync("run", file, "--input", "x");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith("Error: the MCP server 'lab' cannot be reached: ", result.Output, StringComparison.Ordinal);
        Assert.Contains("/no-such-folder", result.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private async Task InstallAsync()
    {
        await NodePackage.InstallFolderAsync(_program, Path.Combine("samples", "mcp"));
        if (OperatingSystem.IsWindows())
        {
            return;
        }
        // Programs in the sandbox have another user.
        File.SetUnixFileMode(
            _program.Directory,
            File.GetUnixFileMode(_program.Directory) | UnixFileMode.OtherRead | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute
        );
    }

    private Process Start(int port)
    {
        var start = new ProcessStartInfo("node", [_program.File(Everything), "streamableHttp"]) { RedirectStandardError = true };
        start.Environment["PORT"] = $"{port}";
        return Process.Start(start)!;
    }

    private static bool Accepts(int port)
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
