using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Tests.Agents;

public sealed class LargeResultsTests
{
    [Fact]
    public async Task Results_whose_call_ids_differ_only_in_punctuation_are_stored_in_separate_files()
    {
        var outcome = await RunAsync(
            Agent(
                "a",
                """
                [{"tool_calls": [{"id": "s:1", "name": "echo", "args": {"say": "EAST"}},
                 {"id": "s/1", "name": "echo", "args": {"say": "WEST"}}]}, {"text": "done"}]
                """
            )
        );

        AssertEachPointerLeadsToItsResult(outcome, "EAST", "WEST");
    }

    [Fact]
    public async Task Results_of_two_turns_with_the_same_call_id_are_stored_in_separate_files()
    {
        var outcome = await RunAsync(
            Agent(
                "a",
                """
                [{"tool_calls": [{"id": "1", "name": "echo", "args": {"say": "FIRST"}}]},
                 {"tool_calls": [{"id": "1", "name": "echo", "args": {"say": "SECOND"}}]},
                 {"text": "done"}]
                """
            )
        );

        AssertEachPointerLeadsToItsResult(outcome, "FIRST", "SECOND");
    }

    [Fact]
    public async Task Results_of_two_subagents_with_the_same_call_id_are_stored_in_separate_files()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted(
                "lead",
                """
                [{"tool_calls": [{"name": "task", "args": {"subagent_type": "east", "description": "d"}},
                 {"name": "task", "args": {"subagent_type": "west", "description": "d"}}]},
                 {"text": "done"}]
                """
            ) with
            {
                Subagents = [Worker("east"), Worker("west")],
            }
        );

        Assert.Equal(["east", "west"], Files(outcome).Entries.Values.Select(it => it.Content.Split(' ')[0]).Order());

        static AgentSpec Worker(string name) =>
            Agent(name, $$"""[{"tool_calls": [{"id": "c1", "name": "echo", "args": {"say": "{{name}}"} }]}, {"text": "done"}]""");
    }

    [Fact]
    public async Task The_path_of_a_result_is_valid_for_any_call_id()
    {
        var engine = new Engine();
        var id = string.Concat(Enumerable.Repeat("../\\\\ü ", 300));
        var spec = Agent("a", $$"""[{"tool_calls": [{"id": "{{id}}", "name": "echo", "args": {"say": "LONG"} }]}, {"text": "done"}]""");
        var outcome = await RunAsync(spec, engine);

        var again = await engine.ResumeAsync(AgentGraph.Build(spec, TestAgents.Models, []));

        Assert.Equal(Files(outcome).Entries.Keys, Files(again).Entries.Keys);
        AssertEachPointerLeadsToItsResult(again, "LONG");
    }

    [Fact]
    public async Task A_replay_of_the_run_produces_the_same_paths()
    {
        var spec = Agent("a", """[{"tool_calls": [{"id": "1", "name": "echo", "args": {"say": "SAME"}}]}, {"text": "done"}]""");

        Assert.Equal(Files(await RunAsync(spec)).Entries.Keys, Files(await RunAsync(spec)).Entries.Keys);
    }

    private static void AssertEachPointerLeadsToItsResult(GraphOutcome outcome, params string[] results)
    {
        var pointers = outcome.State.Get<MessageLog>(AgentState.Messages)!.Where(it => it.Type == MessageType.Tool).ToList();
        Assert.Equal(results.Length, pointers.Count);
        foreach (var (pointer, result) in pointers.Zip(results))
        {
            var (path, file) = Assert.Single(Files(outcome).Entries, it => pointer.Text.Contains($" {it.Key}:", StringComparison.Ordinal));
            Assert.True(FilePath.TryNormalize(path, out var normal, out _) && normal == path && path.Length < 200, path);
            Assert.StartsWith(result, file.Content, StringComparison.Ordinal);
        }
    }

    private static FileTree Files(GraphOutcome outcome) => outcome.State.Get<FileTree>(AgentState.Files)!;

    private static AgentSpec Agent(string name, string script) =>
        TestAgents.Scripted(name, script) with
        {
            Tools = [new Echo()],
            MaxToolResultLength = 1_000,
        };

    private static Task<GraphOutcome> RunAsync(AgentSpec spec, Engine? engine = null) =>
        (engine ?? new Engine()).RunAsync(
            AgentGraph.Build(spec, TestAgents.Models, []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))
        );

    private sealed class Echo() : TestTool("echo")
    {
        protected override string Invoke(ToolContext context) =>
            string.Concat(Enumerable.Repeat($"{context.Call.Arguments.GetProperty("say").GetString()} ", 1_000));
    }
}
