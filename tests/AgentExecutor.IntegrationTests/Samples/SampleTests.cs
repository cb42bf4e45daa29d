using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Samples;

/// <summary>Runs each sample as its README describes, and compares its figures with the files.</summary>
public sealed class SampleTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task The_log_triage_reports_what_the_log_contains()
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "log-triage");
        var log = await File.ReadAllLinesAsync(Path.Combine(sample, "logs", "access.log"), TestContext.Current.CancellationToken);

        var result = await _program.RunAsync(
            "run",
            Path.Combine(sample, "agent.json"),
            "--mount",
            Path.Combine(sample, "logs"),
            "--input",
            "What went wrong?",
            "--out",
            _program.File("out")
        );

        Assert.True(result.ExitCode == 0, result.Error);
        var report = await File.ReadAllTextAsync(_program.File("out/report.md"), TestContext.Current.CancellationToken);
        Assert.Contains(
            $"- {log.Length} requests, of which {Count("\" 500 ")} answered 500, "
                + $"{Count("\" 502 ")} answered 502 and {Count("\" 503 ")} answered 503.",
            report,
            StringComparison.Ordinal
        );
        Assert.Contains($"- {Count("POST /wp-login.php")} requests probed /wp-login.php", report, StringComparison.Ordinal);
        Assert.Contains($"Googlebot made {Count("Googlebot")} requests", report, StringComparison.Ordinal);
        Assert.Contains(
            $"{Count("POST /api/checkout HTTP/1.1\" 502")} of {Count("\" 502 ")} bad gateways",
            result.Output,
            StringComparison.Ordinal
        );
        Assert.True(File.Exists(_program.File("out/findings/errors.md")));
        Assert.False(File.Exists(_program.File("out/access.log"))); // The file is mounted, not written.

        int Count(string text) => log.Count(line => line.Contains(text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_script_tool_quotes_and_keeps_a_price()
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "script-tool", "agent.json");

        var result = await _program.RunAsync("run", sample, "--input", "Two nights in Como", "--out", _program.File("out"));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("Two nights in Como with breakfast cost 204 euros. Kept quote 1.", result.Output, StringComparison.Ordinal);
        Assert.Contains("There is no hotel in Atlantis. Choose one of Como, Turin.", result.Output, StringComparison.Ordinal);
        var quotes = await File.ReadAllTextAsync(_program.File("out/quotes.md"), TestContext.Current.CancellationToken);
        Assert.Equal("1. Como: 204 euros", quotes.TrimEnd());
    }

    [Fact]
    public async Task The_workflow_forks_joins_fans_out_and_loops()
    {
        var result = await _program.RunAsync("run", Sample("workflow"), "--out", _program.File("out"), "--thread", "wf");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("\"5 orders, 2 of them large\"", result.Output, StringComparison.Ordinal);
        Assert.Contains("total: 10504.2", result.Output, StringComparison.Ordinal);
        Assert.Equal(
            "5 orders, 2 of them large\ntotal with tax: 10504.2\nreviewed: A-2, A-4\n",
            await File.ReadAllTextAsync(_program.File("out/summary.md"), TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task The_workflow_takes_other_orders_as_input()
    {
        var result = await _program.RunAsync(
            "run",
            Sample("workflow"),
            "--input",
            """{"orders": [{"id": "B-1", "amount": 100, "country": "FR"}]}""",
            "--out",
            _program.File("out")
        );

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("total: 120", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_spec_writer_writes_six_documents()
    {
        var result = await _program.RunAsync(
            "run",
            Sample("spec-writer"),
            "--input",
            "Please build a tracker for lost luggage.",
            "--out",
            _program.File("out")
        );

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(
            ["README.md", "api.md", "architecture.md", "data-model.md", "requirements.md", "test-plan.md"],
            Directory.GetFiles(_program.File("out/spec")).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
        Assert.Contains(
            "a tracker for lost luggage",
            await File.ReadAllTextAsync(_program.File("out/spec/requirements.md"), TestContext.Current.CancellationToken),
            StringComparison.Ordinal
        );
    }

    public void Dispose() => _program.Dispose();

    private static string Sample(string name) => Path.Combine(AgentExecutorProgram.Root, "samples", name, "agent.json");
}
