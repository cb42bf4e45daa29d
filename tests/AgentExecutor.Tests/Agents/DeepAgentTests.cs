using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Tests.Agents;

public sealed class DeepAgentTests
{
    [Fact]
    public async Task An_agent_calls_tools_until_it_answers()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted(
                "a",
                """[{"text": "let me see", "tool_calls": [{"id": "1", "name": "ls", "args": {}}]}, {"text": "it says: {{result:1}}"}]"""
            )
        );

        Assert.Equal(["human: go", "ai: let me see", "tool: / is empty.", "ai: it says: / is empty."], Lines(outcome));
    }

    [Fact]
    public async Task Calls_of_one_turn_run_in_parallel_and_their_results_are_in_order()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted(
                "a",
                """
                [{"tool_calls": [{"id": "1", "name": "write_file", "args": {"file_path": "a", "content": "A"}},
                 {"id": "2", "name": "write_file", "args": {"file_path": "b", "content": "B"}}]},
                 {"text": "done"}]
                """
            )
        );

        Assert.Equal(["1", "2"], Messages(outcome).Where(it => it.Type == MessageType.Tool).Select(it => it.ToolCallId));
        Assert.Equal(["/a", "/b"], Files(outcome).Entries.Keys);
    }

    [Fact]
    public async Task Edits_of_one_file_in_one_turn_run_one_after_another()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted(
                "a",
                """
                [{"tool_calls": [{"name": "write_file", "args": {"file_path": "/f", "content": "one two"}}]},
                 {"tool_calls": [{"name": "edit_file", "args": {"file_path": "/f", "old_string": "one", "new_string": "1"}},
                                 {"name": "edit_file", "args": {"file_path": "/f", "old_string": "two", "new_string": "2"}}]},
                 {"text": "done"}]
                """
            )
        );

        Assert.Equal("1 2", Files(outcome)["/f"]!.Content);
        Assert.DoesNotContain(Messages(outcome), it => it.IsError);
    }

    [Fact]
    public async Task The_last_list_of_todos_in_a_turn_is_kept()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted(
                "a",
                """
                [{"tool_calls": [{"name": "write_todos", "args": {"todos": [{"content": "x", "status": "pending"}]}},
                 {"name": "write_todos", "args": {"todos": [{"content": "x", "status": "completed"}]}}]},
                 {"text": "done"}]
                """
            )
        );

        Assert.Equal("""[{"content":"x","status":"completed"}]""", JsonBytes.Compact((JsonElement)outcome.State[AgentState.Todos]!));
    }

    [Theory]
    [InlineData("""{"name": "nothing", "args": {}}""", "there is no tool 'nothing'. Your tools are edit_file, glob")]
    [InlineData("""{"name": "read_file", "args": {}}""", "lacks 'file_path'")]
    [InlineData("""{"name": "read_file", "args": {"file_path": 7}}""", "$.file_path must be string, not number")]
    [InlineData("""{"name": "read_file", "args": "{broken"}""", "not a JSON object")]
    [InlineData("""{"name": "read_file", "args": {"file_path": "/../etc/passwd"}}""", "contains '..'")]
    public async Task The_error_of_an_invalid_call_is_returned_to_the_model(string call, string expected)
    {
        var outcome = await RunAsync(TestAgents.Scripted("a", $$"""[{"tool_calls": [{{call}}]}, {"text": "done"}]"""));

        var answer = Messages(outcome)[2];
        Assert.True(answer.IsError);
        Assert.Contains(expected, answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_exception_of_a_tool_is_returned_to_the_model_and_the_run_continues()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted("a", """[{"tool_calls": [{"name": "bomb", "args": {}}]}, {"text": "survived"}]""") with
            {
                Tools = [new Bomb()],
            }
        );

        Assert.Contains("bomb failed: boom", Messages(outcome)[2].Text, StringComparison.Ordinal);
        Assert.Equal("survived", Messages(outcome).Last!.Text);
    }

    [Fact]
    public async Task Subagents_run_in_parallel_and_share_files_but_not_messages_with_the_caller()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted(
                "lead",
                """
                [{"tool_calls": [{"name": "write_file", "args": {"file_path": "/brief", "content": "be short"}}]},
                 {"tool_calls": [{"id": "x", "name": "task", "args": {"subagent_type": "w1", "description": "d1"}},
                  {"id": "y", "name": "task", "args": {"subagent_type": "w2", "description": "d2"}}]},
                 {"text": "{{result:x}} / {{result:y}}"}]
                """
            ) with
            {
                Subagents = [Worker("w1"), Worker("w2")],
            }
        );

        Assert.Equal(
            "w1 read 1	be short / w2 read 1	be short",
            Messages(outcome).Last!.Text.Replace("     ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal)
        );
        Assert.Equal(["/brief", "/w1", "/w2"], Files(outcome).Entries.Keys);
        Assert.Equal(7, Messages(outcome).Count);

        static AgentSpec Worker(string name) =>
            TestAgents.Scripted(
                name,
                """
                [{"tool_calls": [{"id": "r", "name": "read_file", "args": {"file_path": "/brief"}},
                 {"name": "write_file", "args": {"file_path": "/NAME", "content": "{{input}}"}}]},
                 {"text": "NAME read {{result:r}}"}]
                """.Replace("NAME", name, StringComparison.Ordinal)
            );
    }

    [Fact]
    public async Task Subagents_cannot_be_nested_more_deeply_than_allowed()
    {
        var spec = TestAgents.Scripted(
            "lead",
            """[{"tool_calls": [{"name": "task", "args": {"subagent_type": "w", "description": "d"}}]}, {"text": "x"}]"""
        ) with
        {
            Subagents = [TestAgents.Scripted("w", """[{"text": "x"}]""")],
        };

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            RunAsync(spec, engine: new Engine { Limits = new RunLimits { MaxSubagentDepth = 0 } })
        );

        Assert.Equal(FaultCodes.SubagentDepthLimit, fault.Code);
    }

    [Fact]
    public async Task Exceeding_the_tool_call_limit_fails_the_run()
    {
        var spec = TestAgents.Scripted("a", """[{"when": {}, "tool_calls": [{"name": "ls", "args": {}}]}]""");

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            RunAsync(spec, engine: new Engine { Limits = new RunLimits { MaxToolCalls = 3 } })
        );

        Assert.Equal(FaultCodes.ToolCallLimit, fault.Code);
    }

    [Fact]
    public async Task An_approved_call_is_made_a_rejected_call_is_not_and_an_edited_call_is_changed()
    {
        var engine = new Engine();
        var spec = TestAgents.Scripted(
            "a",
            """
            [{"tool_calls": [{"id": "1", "name": "write_file", "args": {"file_path": "/1", "content": "1"}},
                             {"id": "2", "name": "write_file", "args": {"file_path": "/2", "content": "2"}},
                             {"id": "3", "name": "write_file", "args": {"file_path": "/3", "content": "3"}},
                             {"id": "4", "name": "ls", "args": {}}]},
             {"text": "done"}]
            """
        ) with
        {
            InterruptOn = ImmutableDictionary<string, ApprovalPolicy>.Empty.Add("write_file", ApprovalPolicy.All),
        };
        var waits = await RunAsync(spec, engine);
        Assert.Equal(3, waits.Interrupts.Length);
        Assert.Single(engine.Events.Of<RunEvent.ToolStarted>()); // only the call of ls

        using var session = engine.Session();
        session.Answers[waits.Interrupts[0].Id] = JsonBytes.Text("approve");
        session.Answers[waits.Interrupts[1].Id] = Engine.Json("""{"decision": "reject", "message": "too long"}""");
        session.Answers[waits.Interrupts[2].Id] = Engine.Json(
            """{"decision": "edit", "args": {"file_path": "/three", "content": "III"}}"""
        );
        var done = await Engine.RunAsync(AgentGraph.Build(spec, TestAgents.Models, []), session, GraphInput.Continue.Instance);

        Assert.Equal(["/1=1", "/three=III"], Files(done).Entries.Select(it => $"{it.Key}={it.Value.Content}"));
        Assert.Equal("A person rejected this call: too long", Messages(done)[3].Text);
    }

    [Fact]
    public async Task An_oversized_result_is_moved_to_a_file_that_can_be_searched()
    {
        var outcome = await RunAsync(
            TestAgents.Scripted(
                "a",
                """
                [{"tool_calls": [{"id": "big/1", "name": "flood", "args": {}}]},
                 {"tool_calls": [{"id": "g", "name": "grep", "args": {"pattern": "line 7777", "output_mode": "content"}}]},
                 {"text": "{{result:g}}"}]
                """
            ) with
            {
                Tools = [new Flood()],
                MaxToolResultLength = 1_000,
            }
        );

        Assert.Contains("It is in the file /large_tool_results/flood-0.0:", Messages(outcome)[2].Text, StringComparison.Ordinal);
        Assert.True(Messages(outcome)[2].Text.Length < 1_500);
        Assert.Equal("/large_tool_results/flood-0.0:7778:line 7777", Messages(outcome).Last!.Text);
    }

    [Fact]
    public async Task A_summary_keeps_calls_together_with_their_results()
    {
        var spec = TestAgents.Scripted(
            "a",
            """
            [{"when": {"last_contains": "what remains"}, "text": "SUMMARY"},
             {"when": {"user_contains": "Summarise"}, "text": "SUMMARY"},
             {"when": {"turn": 0}, "tool_calls": [{"name": "flood", "args": {}}]},
             {"when": {"last_tool": "flood"}, "text": "flooded"},
             {"when": {}, "text": "SUMMARY"}]
            """
        ) with
        {
            Tools = [new Flood()],
            KeepMessages = 2,
            SummarizeAt = 0.1,
            MaxToolResultLength = int.MaxValue,
        };

        var outcome = await RunAsync(spec);

        var messages = Messages(outcome);
        Assert.StartsWith("Here is a summary of the conversation so far:", messages[0].Text, StringComparison.Ordinal);
        Assert.All(
            messages.Where(it => it.Type == MessageType.Tool),
            tool => Assert.Contains(messages, it => it.ToolCalls.Any(call => call.Id == tool.ToolCallId))
        );
    }

    [Fact]
    public async Task Dangling_calls_of_an_earlier_run_are_answered_before_the_model_is_called()
    {
        var engine = new Engine();
        var spec = TestAgents.Scripted("a", """[{"text": "ok"}]""") with
        {
            Model = TestAgents.Scripted("a", """[{"when": {}, "text": "ok"}]""").Model,
        };
        var history = MessageUpdate.Append([
            Message.Human("h1", "do it"),
            Message.Ai("a1", "", new ToolCall("c1", "ls", Engine.Json("{}")), new ToolCall("c2", "ls", Engine.Json("{}"))),
            new Message
            {
                Type = MessageType.Tool,
                Id = "t1",
                ToolCallId = "c1",
                Text = "fine",
            },
            Message.Human("h2", "never mind"),
        ]);

        var outcome = await Engine.RunAsync(
            AgentGraph.Build(spec, TestAgents.Models, []),
            engine.Session(),
            new GraphInput.Begin([new(AgentState.Messages, history)])
        );

        Assert.Equal(["h1", "a1", "a1-c2-cancelled", "t1", "h2"], Messages(outcome).Take(5).Select(it => it.Id));
    }

    [Fact]
    public async Task A_transient_failure_of_the_model_is_retried_and_its_output_is_superseded()
    {
        var engine = new Engine();
        var spec = TestAgents.Scripted(
            "a",
            """
            [{"text": "a long answer in several chunks", "chunk_size": 5,
             "error": {"class": "rate_limit", "attempts": 2, "after_chunks": 2, "retry_after_seconds": 0.001}}]
            """
        );

        var outcome = await RunAsync(spec, engine);

        Assert.Equal("a long answer in several chunks", Messages(outcome).Last!.Text);
        Assert.Equal(2, engine.Events.Of<RunEvent.LlmSuperseded>().Count());
        Assert.Single(engine.Events.Of<RunEvent.LlmStream>().Select(it => it.MessageId).Distinct());
    }

    [Theory]
    [InlineData("authentication", FaultCodes.ModelAuthentication)]
    [InlineData("invalid_request", FaultCodes.ModelInvalidRequest)]
    [InlineData("refusal", FaultCodes.ModelRefused)]
    [InlineData("model_not_found", FaultCodes.ModelNotFound)]
    public async Task A_permanent_failure_of_the_model_fails_the_run_at_once(string kind, string code)
    {
        var engine = new Engine();

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            RunAsync(TestAgents.Scripted("a", $$"""[{"text": "shown", "error": {"class": "{{kind}}", "after_chunks": 1} }]"""), engine)
        );

        Assert.Equal(code, fault.Code);
        Assert.Single(engine.Events.Of<RunEvent.LlmSuperseded>()); // there was only one attempt
    }

    private static async Task<GraphOutcome> RunAsync(AgentSpec spec, Engine? engine = null) =>
        await (engine ?? new Engine()).RunAsync(
            AgentGraph.Build(spec, TestAgents.Models, []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))
        );

    private static MessageLog Messages(GraphOutcome outcome) => outcome.State.Get<MessageLog>(AgentState.Messages)!;

    private static FileTree Files(GraphOutcome outcome) => outcome.State.Get<FileTree>(AgentState.Files)!;

    private static IEnumerable<string> Lines(GraphOutcome outcome) =>
        Messages(outcome).Select(it => $"{MessageJson.NameOf(it.Type)}: {it.Text}");

    private sealed class Bomb() : TestTool("bomb")
    {
        protected override string Invoke(ToolContext context) => throw new InvalidOperationException("boom");
    }

    private sealed class Flood() : TestTool("flood")
    {
        protected override string Invoke(ToolContext context) => string.Join('\n', Enumerable.Range(0, 10_000).Select(i => $"line {i}"));
    }
}
