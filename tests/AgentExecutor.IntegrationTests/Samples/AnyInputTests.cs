using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Samples;

/// <summary>The samples answer any input with a useful result, or report in one sentence what they need.</summary>
public sealed class AnyInputTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    public static TheoryData<string> Inputs =>
        [
            "",
            "   ",
            "hello",
            "Bitte baue ein Werkzeug für verlorene Koffer!",
            "帮我写一个跟踪丢失行李的应用。",
            "🧳🚀",
            "Build \"quotes\", {{input}} braces and $(things).\nIn two lines: yes.",
            string.Concat(Enumerable.Repeat("Ein sehr langer Text ohne Ende 🧳 ", 500)),
            string.Concat(Enumerable.Repeat("🧳", 3_000)),
            "42",
            "[]",
        ];

    [Theory]
    [MemberData(nameof(Inputs))]
    public async Task The_spec_writer_writes_six_documents_for_any_request(string input)
    {
        var result = await _program.RunAsync("run", Sample("spec-writer"), "--input", input, "--out", _program.File("out"));

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(6, Directory.GetFiles(_program.File("out/spec")).Length);
        var requirements = await File.ReadAllTextAsync(_program.File("out/spec/requirements.md"), TestContext.Current.CancellationToken);
        Assert.Matches(@"Request: \S", requirements);
        Assert.DoesNotContain('\uFFFD', requirements);
    }

    [Theory]
    [InlineData("")]
    [InlineData("帮我看看日志 🧳")]
    public async Task The_log_triage_reports_on_the_logs_for_any_question(string input)
    {
        var logs = Path.Combine(AgentExecutorProgram.Root, "samples", "log-triage", "logs");

        var result = await _program.RunAsync("run", Sample("log-triage"), "--mount", logs, "--input", input);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("The report is in /report.md.", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_triage_without_logs_explains_how_to_provide_them()
    {
        var result = await _program.RunAsync("run", Sample("log-triage"), "--input", "What went wrong?");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("--mount samples/log-triage/logs", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_triage_counts_in_any_log()
    {
        Directory.CreateDirectory(_program.File("mine"));
        await File.WriteAllTextAsync(
            _program.File("mine/app.log"),
            "203.0.113.9 - - [11/Mar/2026:06:00:01 +0000] \"GET / HTTP/1.1\" 200 5\n",
            TestContext.Current.CancellationToken
        );

        var result = await _program.RunAsync("run", Sample("log-triage"), "--mount", _program.File("mine"), "--input", "What went wrong?");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("0 of 0 bad gateways", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello")]
    [InlineData("{}")]
    [InlineData("""{"orders": []}""")]
    [InlineData("""{"orders": [{"id": "🧳", "amount": 2000, "country": "日本"}]}""")]
    public async Task The_workflow_summarises_any_orders(string input)
    {
        var result = await _program.RunAsync("run", Sample("workflow"), "--input", input);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("total: ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_recorded_sample_without_its_server_reports_what_to_start()
    {
        var result = await _program.RunAsync("run", Sample("recorded"), "--input", "hello");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("--replay samples/recorded/desk.jsonl", result.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private static string Sample(string name) => Path.Combine(AgentExecutorProgram.Root, "samples", name, "agent.json");
}
