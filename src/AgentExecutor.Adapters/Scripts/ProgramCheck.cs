using System.Text;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters.Sandbox;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>Checks the syntax of scripts in JavaScript and shell without running them.</summary>
internal static partial class ProgramCheck
{
    private const int LongestReport = 16 * 1024;

    public static async Task<ScriptInspection> InspectAsync(
        ISandbox sandbox,
        ScriptSource script,
        ScriptToolSettings settings,
        CancellationToken cancellationToken
    )
    {
        var request =
            script.Language == ScriptLanguage.JavaScript ? ProgramRunner.NodeCheck(script, settings) : ProgramRunner.ShellCheck(settings);
        await using var process = await sandbox.StartAsync(request, cancellationToken);
        var report = new BoundedText(process.StandardError, LongestReport);
        var reading = Task.WhenAll(
            report.ReadAsync(cancellationToken),
            new BoundedText(process.StandardOutput, LongestReport).ReadAsync(cancellationToken)
        );
        try
        {
            await process.StandardInput.WriteAsync(Encoding.UTF8.GetBytes(script.Text), cancellationToken);
            await process.StandardInput.DisposeAsync();
        }
        catch (IOException)
        {
            // The program may report an error before it has read everything.
        }
        var code = await process.Exit.WaitAsync(cancellationToken);
        await reading.WaitAsync(cancellationToken);
        return code == 0 ? ScriptInspection.Program : Read(report.Text, code);
    }

    private static ScriptInspection Read(string report, int code)
    {
        var lines = report.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var message =
            Array.Find(lines, line => line.Contains("Error:", StringComparison.Ordinal))
            ?? (lines.Length > 0 ? Position().Replace(lines[0], "") : $"the check of the syntax ended with exit code {code}");
        var at = Array.Find(lines, line => Position().IsMatch(line)) is { } line ? Position().Match(line) : Match.Empty;
        return new ScriptInspection
        {
            Error = message,
            Line = at.Success && int.TryParse(at.Groups["line"].Value, out var number) ? number : null,
        };
    }

    /// <summary>Matches <c>[stdin]:3</c> of Node, and <c>sh: 3:</c> and <c>sh: line 3:</c> of shells.</summary>
    [GeneratedRegex(@"^(?:\[stdin\]:(?<line>\d+)|[\w./-]*sh: (?:\w+: )?(?:line )?(?<line>\d+): ?)")]
    private static partial Regex Position();
}
