using System.Diagnostics;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Scripts;

/// <summary>
/// <c>run.sh</c> builds only after a change. A script instead of <c>dotnet</c> counts the builds and writes the
/// program, so that the tests do not wait for builds.
/// </summary>
public sealed class RunScriptTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("agent-executor-run-").FullName;

    public RunScriptTests()
    {
        File.Copy(Path.Combine(AgentExecutorProgram.Root, "run.sh"), Path.Combine(_root, "run.sh"));
        Write("global.json", "{}");
        Write("Directory.Build.props", "<Project />");
        Write("src/AgentExecutor.Server/Program.cs", "one");
        Write("src/AgentExecutor.Core/Core.csproj", "<Project />");
        Write(
            "tools/dotnet",
            """
            #!/bin/sh
            [ "$1" = build ] || { echo 10.0.100; exit 0; }
            echo build >>"$COUNT"
            [ ! -f "$FAIL" ] || { echo "CS1002: ; expected"; exit 1; }
            mkdir -p artifacts/bin/AgentExecutor.Server/release src/AgentExecutor.Core/obj
            echo made >src/AgentExecutor.Core/obj/made.cs
            printf '#!/bin/sh\necho "ran in $PWD: $*"\n' >artifacts/bin/AgentExecutor.Server/release/agent-executor
            chmod +x artifacts/bin/AgentExecutor.Server/release/agent-executor
            """
        );
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(
                Path.Combine(_root, "tools", "dotnet"),
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            );
        }
    }

    [Fact]
    public async Task A_fresh_clone_is_built_and_the_arguments_reach_the_program()
    {
        var (code, output) = await RunAsync("threads", "--limit", "5");

        Assert.Equal((0, $"ran in {Path.GetTempPath().TrimEnd('/')}: threads --limit 5\n"), (code, output));
        Assert.Equal(1, Builds);
    }

    [Fact]
    public async Task Nothing_is_built_again_when_nothing_has_changed()
    {
        await RunAsync("threads");
        await RunAsync("threads");
        await RunAsync("--help");

        Assert.Equal(1, Builds);
    }

    [Theory]
    [InlineData("written")]
    [InlineData("written alike at the same time")]
    [InlineData("added")]
    [InlineData("deleted")]
    [InlineData("renamed")]
    [InlineData("project")]
    [InlineData("properties")]
    [InlineData("program")]
    public async Task Every_kind_of_change_is_built(string change)
    {
        Write("src/AgentExecutor.Core/Other.cs", "two");
        await RunAsync("threads");
        var source = Path.Combine(_root, "src", "AgentExecutor.Server", "Program.cs");
        switch (change)
        {
            case "written":
                File.WriteAllText(source, "another text");
                break;
            case "written alike at the same time":
                var time = File.GetLastWriteTimeUtc(source);
                File.WriteAllText(source, "two");
                File.SetLastWriteTimeUtc(source, time);
                break;
            case "added":
                Write("src/AgentExecutor.Adapters/New.cs", "new");
                break;
            case "deleted":
                File.Delete(Path.Combine(_root, "src", "AgentExecutor.Core", "Other.cs"));
                break;
            case "renamed":
                File.Move(source, source.Replace("Program", "Main", StringComparison.Ordinal));
                break;
            case "project":
                Write("src/AgentExecutor.Core/Core.csproj", "<Project></Project>");
                break;
            case "properties":
                Write("Directory.Build.props", "<Project></Project>");
                break;
            default:
                File.Delete(Path.Combine(_root, "artifacts", "bin", "AgentExecutor.Server", "release", "agent-executor"));
                break;
        }

        Assert.Equal(0, (await RunAsync("threads")).ExitCode);
        await RunAsync("threads");

        Assert.Equal(2, Builds);
    }

    [Fact]
    public async Task A_failed_build_is_repeated()
    {
        await RunAsync("threads");
        Write("src/AgentExecutor.Server/Program.cs", "broken");
        Write("fail", "");
        Assert.Equal(2, (await RunAsync("threads")).ExitCode);
        File.Delete(Path.Combine(_root, "fail"));

        Assert.Equal(0, (await RunAsync("threads")).ExitCode);

        Assert.Equal(3, Builds);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private int Builds => File.ReadAllLines(Path.Combine(_root, "count")).Length;

    private void Write(string name, string text)
    {
        var path = Path.Combine(_root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private async Task<(int ExitCode, string Output)> RunAsync(params string[] args)
    {
        var start = new ProcessStartInfo("bash", [Path.Combine(_root, "run.sh"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.Environment["PATH"] = $"{Path.Combine(_root, "tools")}:{start.Environment["PATH"]}";
        start.Environment["COUNT"] = Path.Combine(_root, "count");
        start.Environment["FAIL"] = Path.Combine(_root, "fail");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await error;
        return (process.ExitCode, output);
    }
}
