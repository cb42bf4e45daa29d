using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>
/// Kills the program with signal 9 at each step border in turn, and resumes the run with the command that the program prints.
/// </summary>
public sealed class KillAtEveryStepTests : IDisposable
{
    private readonly AgentExecutorProgram _program = new();
    private readonly CountingServer _tool = new();

    [Fact]
    public async Task A_killed_run_resumes_to_the_same_answer_and_repeats_no_finished_call()
    {
        var definition = _program.WriteFile("agent.json", CountingAgents.Team(_tool.Url));
        var whole = await RunAsync(definition, "whole", killAfter: int.MaxValue);
        Assert.Equal("both done: alpha is counted, beta is counted", whole.Answer);
        Assert.True(whole.Steps >= 12, $"only {whole.Steps} steps");

        for (var killAfter = 1; killAfter < whole.Steps; killAfter++)
        {
            _tool.Calls.Clear();
            var killed = await RunAsync(definition, $"killed-{killAfter}", killAfter);

            Assert.Equal(whole.Answer, killed.Answer);
            AssertNothingFinishedWasRepeated(killed, killAfter);
        }
    }

    public void Dispose()
    {
        _program.Dispose();
        _tool.Dispose();
    }

    /// <summary>A call is finished when a state update contains its message, because updates are sent after the commit.</summary>
    private void AssertNothingFinishedWasRepeated(Run run, int killAfter)
    {
        var committed = run.Before.Where(it => Type(it) == "on_state_update").SelectMany(MessageIds).ToHashSet();
        var modelCallsAfter = run
            .After.Where(it => Type(it) == "on_llm_stream")
            .Select(it => Data(it).GetProperty("message_id").GetString()!)
            .ToHashSet();
        Assert.Empty(committed.Intersect(modelCallsAfter));

        var toolResults = committed.Where(id => id.StartsWith("tool-", StringComparison.Ordinal)).Select(id => id["tool-".Length..]);
        Assert.All(toolResults.Where(_tool.Calls.ContainsKey), key => Assert.Equal(1, _tool.Calls[key]));
        Assert.All(_tool.Calls.Values, count => Assert.InRange(count, 1, 2)); // A call in flight is repeated with the same key.
        Assert.Equal(2, _tool.Calls.Count);
        Assert.True(
            run.FirstAfter > run.LastBefore,
            $"sequence numbers went back after the kill at {killAfter}: {run.LastBefore} then {run.FirstAfter}"
        );
    }

    private async Task<Run> RunAsync(string definition, string thread, int killAfter)
    {
        var before = new List<JsonElement>();
        var program = _program.Start("run", definition, "--input", "count", "--thread", thread, "--events", "jsonl");
        var steps = 0;
        while (await program.ReadLineAsync() is { } line)
        {
            before.Add(JsonElement.Parse(line));
            if (Type(before[^1]) == "on_state_update" && ++steps == killAfter)
            {
                await program.KillAsync();
                break;
            }
        }
        if (steps < killAfter)
        {
            return new Run(AnswerIn(before), steps, before, []);
        }
        var resumed = await _program.RunAsync("resume", thread, "--events", "jsonl");
        if (resumed.Error.Contains("nothing_to_resume", StringComparison.Ordinal))
        {
            // The program was killed after the last commit, perhaps before it had printed the answer.
            return new Run(await StoredAnswerAsync(thread), steps, before, []);
        }
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        var after = resumed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line)).ToList();
        return new Run(AnswerIn(after), steps, before, after);
    }

    private async Task<string> StoredAnswerAsync(string thread)
    {
        var shown = await _program.RunAsync("show", thread, "--json");
        var messages = JsonElement.Parse(shown.Output).GetProperty("messages");
        return messages.EnumerateArray().Last().GetProperty("content").GetString()!;
    }

    private static string AnswerIn(List<JsonElement> events)
    {
        var final = events.Last(it => Type(it) == "on_state_update" && Data(it).GetProperty("final").GetBoolean());
        return Data(final).GetProperty("messages").EnumerateArray().Last().GetProperty("content").GetString()!;
    }

    private static IEnumerable<string> MessageIds(JsonElement update) =>
        Data(update).TryGetProperty("messages", out var messages)
            ? messages.EnumerateArray().Select(message => message.GetProperty("id").GetString()!)
            : [];

    private static string Type(JsonElement it) => it.GetProperty("event_type").GetString()!;

    private static JsonElement Data(JsonElement it) => it.GetProperty("data");

    private sealed record Run(string Answer, int Steps, List<JsonElement> Before, List<JsonElement> After)
    {
        public long LastBefore => Before.Max(it => it.GetProperty("seq").GetInt64());

        public long FirstAfter => After.Count == 0 ? long.MaxValue : After.Min(it => it.GetProperty("seq").GetInt64());
    }
}
