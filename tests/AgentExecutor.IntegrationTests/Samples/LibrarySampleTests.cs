using System.Diagnostics;
using System.Text.RegularExpressions;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Samples;

/// <summary>Runs the sample with tools over HTTP against its service.</summary>
public sealed partial class LibrarySampleTests : IDisposable
{
    private static readonly string Folder = Path.Combine(AgentExecutorProgram.Root, "samples", "library");

    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task The_library_lends_a_book_through_its_service()
    {
        using var service = StartService();
        try
        {
            var first = await service
                .StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken)
                .AsTask()
                .WaitAsync(AgentExecutorProgram.Limit);
            var definition = await File.ReadAllTextAsync(Path.Combine(Folder, "agent.json"), TestContext.Current.CancellationToken);
            var own = definition.Replace(
                "127.0.0.1:18101",
                $"127.0.0.1:{Port().Match(first ?? "").Groups[1].Value}",
                StringComparison.Ordinal
            );

            var result = await _program.RunAsync("run", _program.WriteFile("agent.json", own), "--input", "Lend ada/1 to Grace.");

            Assert.True(result.ExitCode == 0, result.Error);
            Assert.Contains("Grace has \"Notes on the Engine\" for 14 days, as loan 1.", result.Output, StringComparison.Ordinal);
        }
        finally
        {
            service.Kill(entireProcessTree: true);
        }
    }

    public void Dispose() => _program.Dispose();

    private static Process StartService()
    {
        try
        {
            return Process.Start(
                new ProcessStartInfo("python3", [Path.Combine(Folder, "books.py"), "0"]) { RedirectStandardOutput = true }
            )!;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            Assert.Skip($"python3 is not here: {exception.Message}");
            throw;
        }
    }

    [GeneratedRegex(@":(\d+)$")]
    private static partial Regex Port();
}
