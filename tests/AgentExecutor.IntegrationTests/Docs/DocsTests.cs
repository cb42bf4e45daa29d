using System.Diagnostics;
using System.Text.RegularExpressions;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Docs;

/// <summary>
/// Runs the examples in README.md and docs/: blocks marked <c>sh run</c>, <c>sh run serve</c>, <c>sh run postgres</c>, <c>json agent</c>
/// and <c>json job</c>.
/// </summary>
public sealed partial class DocsTests(PostgresFixture postgres) : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    public static TheoryData<string, string> Commands() => Blocks("sh run");

    public static TheoryData<string, string> ServedCommands() => Blocks("sh run serve");

    public static TheoryData<string, string> PostgresCommands() => Blocks("sh run postgres");

    public static TheoryData<string, string> Definitions() => Blocks("json agent");

    public static TheoryData<string, string> Jobs() => Blocks("json job");

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task The_commands_in_the_documents_run(string file, string block) => await RunAsync(file, block, _program);

    /// <summary>These commands use the service at <c>$URL</c>.</summary>
    [Theory]
    [MemberData(nameof(ServedCommands))]
    public async Task The_commands_that_need_a_service_run(string file, string block)
    {
        await using var server = await ApiServer.StartAsync();
        _program.Variables["URL"] = server.Http.BaseAddress!.ToString().TrimEnd('/');
        Directory.CreateDirectory(_program.File("data"));
        await RunAsync(file, block, _program);
    }

    [Theory]
    [MemberData(nameof(PostgresCommands))]
    public async Task The_commands_that_need_PostgreSQL_run(string file, string block)
    {
        using var program = new AgentExecutorProgram
        {
            Postgres = PostgresFixture.Settings(await postgres.ServerAsync()) with { Schema = $"docs{Environment.ProcessId}" },
        };
        await RunAsync(file, block, program);
    }

    private static async Task RunAsync(string file, string block, AgentExecutorProgram program)
    {
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", block])
        {
            WorkingDirectory = AgentExecutorProgram.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = $"{AppContext.BaseDirectory}:{start.Environment["PATH"]}";
        program.SetVariables(start);
        start.Environment["DATA_DIR"] = program.File("data");
        using var shell = Process.Start(start)!;
        var output = shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = await shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit);

        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(shell.ExitCode == 0, $"{file}: {error}");
        Assert.NotEmpty(await output);
    }

    [Theory]
    [MemberData(nameof(Definitions))]
    public async Task The_agent_definitions_in_the_documents_are_valid(string file, string block)
    {
        var result = await _program.RunAsync("check", _program.WriteFile("agent.json", block));

        Assert.True(result.ExitCode == 0, $"{file}: {result.Output}");
        Assert.DoesNotContain("warning", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Jobs))]
    public async Task The_jobs_in_the_documents_are_valid(string file, string block)
    {
        var request = Core.Messaging.JobRequestReader.ReadMessage(null, [], System.Text.Encoding.UTF8.GetBytes(block));

        await The_agent_definitions_in_the_documents_are_valid(file, System.Text.Encoding.UTF8.GetString(request.Definition.Span));
    }

    [Fact]
    public async Task The_workflow_in_the_documents_gives_the_documented_result()
    {
        var block = Blocks("json agent")
            .Select(row => row.Data)
            .Single(it => it.Item1.EndsWith("workflows.md", StringComparison.Ordinal))
            .Item2;

        var result = await _program.RunAsync("run", _program.WriteFile("agent.json", block));

        Assert.Contains("winner: \"edsger\"", result.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private static TheoryData<string, string> Blocks(string mark)
    {
        var data = new TheoryData<string, string>();
        foreach (
            var file in Directory
                .GetFiles(Path.Combine(AgentExecutorProgram.Root, "docs"), "*.md", SearchOption.AllDirectories)
                .Concat(Directory.GetFiles(Path.Combine(AgentExecutorProgram.Root, "samples"), "*.md", SearchOption.AllDirectories))
                .Append(Path.Combine(AgentExecutorProgram.Root, "README.md"))
        )
        {
            foreach (Match match in Block().Matches(File.ReadAllText(file)))
            {
                if (match.Groups[1].Value == mark)
                {
                    data.Add(Path.GetRelativePath(AgentExecutorProgram.Root, file), match.Groups[2].Value);
                }
            }
        }
        return data;
    }

    [GeneratedRegex("^```([^\n]+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
