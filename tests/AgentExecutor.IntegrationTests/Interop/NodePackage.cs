using System.Diagnostics;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Interop;

/// <summary>
/// Installs scripts with their packages. Tests are skipped without node, npm and its registry, which the product does not need.
/// </summary>
internal static class NodePackage
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public static Task InstallAsync(AgentExecutorProgram program, string folder) =>
        InstallFolderAsync(program, Path.Combine("tests", "AgentExecutor.IntegrationTests", "Interop", folder));

    /// <summary>Copies the files of a folder of the repository to the program's directory, and installs their packages.</summary>
    public static async Task InstallFolderAsync(AgentExecutorProgram program, string folder)
    {
        foreach (var file in Directory.GetFiles(Path.Combine(AgentExecutorProgram.Root, folder)))
        {
            File.Copy(file, program.File(Path.GetFileName(file)));
        }
        try
        {
            var installed = await RunAsync(program, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error");
            Assert.SkipUnless(installed.ExitCode == 0, $"the packages of {folder} cannot be installed: {installed.Error.Split('\n')[0]}");
        }
        catch (Exception exception) when (exception is System.ComponentModel.Win32Exception or TimeoutException)
        {
            Assert.Skip($"node and npm are not here: {exception.Message}");
        }
    }

    public static async Task<ProgramResult> RunAsync(AgentExecutorProgram program, string command, params string[] args)
    {
        var start = new ProcessStartInfo(command, args)
        {
            WorkingDirectory = program.Directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = new RunningProgram(Process.Start(start)!);
        return await process.WaitAsync(Limit);
    }
}
