using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Samples;

/// <summary>Walks through the sample with a question and an approval in the terminal, as its README describes.</summary>
public sealed class ApprovalSampleTests : IDisposable
{
    private const int Interrupted = 3;

    private readonly AgentExecutorProgram _program = new();

    [Theory]
    [InlineData("approve", "Refund 80 euros for order 4711: damaged.")]
    [InlineData(
        """{"decision": "edit", "arguments": {"file_path": "/refunds/4711.md", "content": "Refund 40 euros."}}""",
        "Refund 40 euros."
    )]
    public async Task The_refund_is_written_as_a_person_decides(string decision, string expected)
    {
        await AskAsync();

        var resumed = await _program.RunAsync("resume", "refund", "--answer", decision);
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        var file = await _program.RunAsync("show", "refund", "--file", "/refunds/4711.md");

        Assert.Equal(expected, file.Output.Trim());
    }

    [Fact]
    public async Task A_rejected_refund_is_not_written_and_the_same_answer_is_accepted_again()
    {
        var id = await AskAsync();

        var first = await _program.RunAsync("resume", "refund", "--answer", $$"""{{id}}={"decision": "reject", "message": "No."}""");
        var again = await _program.RunAsync("resume", "refund", "--answer", $$"""{{id}}={"message": "No.", "decision": "reject"}""");
        var other = await _program.RunAsync("resume", "refund", "--answer", $"{id}=approve");

        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Contains("A person rejected this call: No.", first.Output, StringComparison.Ordinal);
        Assert.True(again.ExitCode == 0, again.Error);
        Assert.Equal(first.Output, again.Output);
        Assert.NotEqual(0, other.ExitCode);
        Assert.Contains("answer_conflict", other.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, (await _program.RunAsync("show", "refund", "--file", "/refunds/4711.md")).ExitCode);
    }

    [Fact]
    public async Task A_tool_that_is_executed_elsewhere_stops_the_run_until_its_result_is_given()
    {
        const string Definition = """
            {"name": "pays", "tool_definitions": [{"name": "pay", "runtime": {"type": "event"}}],
             "nodes": [{"id": "a", "type": "orchestrator", "config": {"tools": ["pay"],
               "model": {"provider": "scripted", "model": "m", "script": [
                 {"tool_calls": [{"id": "c", "name": "pay", "args": {"amount": 5}}]}, {"text": "{{last}}"}]}}}]}
            """;
        var started = await _program.RunAsync("run", _program.WriteFile("pays.json", Definition), "--input", "go", "--thread", "t");
        Assert.True(started.ExitCode == Interrupted, started.Error);
        Assert.Contains("waiting for the result of the tool pay", started.Error, StringComparison.Ordinal);

        var resumed = await _program.RunAsync("resume", "t", "--answer", """{"status": "success", "output": "paid"}""");

        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal("paid", resumed.Output.Trim());
    }

    public void Dispose() => _program.Dispose();

    /// <summary>Starts the sample and answers its question. Returns the id of the approval that it then waits for.</summary>
    private async Task<string> AskAsync()
    {
        var sample = Path.Combine(AgentExecutorProgram.Root, "samples", "approval", "agent.json");
        var started = await _program.RunAsync("run", sample, "--input", "Refund order 4711", "--thread", "refund");
        Assert.True(started.ExitCode == Interrupted, started.Error);
        Assert.Contains("What is the reason of the refund?", started.Error, StringComparison.Ordinal);

        var wrong = await _program.RunAsync("resume", "refund", "--answer", "no idea");
        Assert.True(wrong.ExitCode == Interrupted, wrong.Error);
        Assert.Contains("is not one of damaged, late, changed mind", wrong.Error, StringComparison.Ordinal);
        var asked = await _program.RunAsync("resume", "refund", "--answer", "damaged", "--events", "jsonl");
        Assert.True(asked.ExitCode == Interrupted, asked.Error);
        var line = asked.Output.Split('\n').Single(it => it.Contains("on_interrupt", StringComparison.Ordinal));
        var interrupt = System.Text.Json.JsonElement.Parse(line).GetProperty("data").GetProperty("interrupts")[0];
        Assert.Equal("finance", interrupt.GetProperty("recipient").GetString());
        return interrupt.GetProperty("id").GetString()!;
    }
}
