using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.IntegrationTests.Scripts;

/// <summary>Scripts read the state that is injected, and change it with commands.</summary>
public sealed class ScriptStateTests : IAsyncDisposable
{
    private const string Head = """
        import json
        from typing import Annotated
        from langchain.tools import InjectedState, InjectedToolCallId, ToolRuntime, tool
        from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
        from langchain_core.runnables import RunnableConfig
        from langgraph.types import Command

        """;

    private readonly ScriptRuns _runs = new();

    [Fact]
    public async Task Injected_arguments_are_passed()
    {
        var answer = await CallAsync(
            """
            @tool
            def t(x: str, whole: Annotated[dict, InjectedState], files: Annotated[dict, InjectedState("files")],
                  call_id: Annotated[str, InjectedToolCallId], config: RunnableConfig, runtime: ToolRuntime) -> str:
                "d"
                human = whole["messages"][0]
                return json.dumps([x, type(human).__name__, human.content, files, call_id, runtime.tool_call_id,
                    runtime.state["todos"], config["configurable"]["thread_id"] == runtime.config["metadata"]["thread_id"],
                    len(config["metadata"]["idempotency_key"]) > 0, whole["notes"]])
            """,
            """{"x": "y"}""",
            """{"notes": {"type": "list", "reducer": "append", "default": [1]}}"""
        );

        Assert.Equal("""["y", "HumanMessage", "go", {}, "c0", "c0", [], true, true, [1]]""", answer.Text);
    }

    [Fact]
    public async Task Files_have_the_form_that_scripts_know()
    {
        var script =
            Head
            + """
                @tool
                def t(files: Annotated[dict, InjectedState("files")]) -> Command:
                    "d"
                    old = files["/a.txt"]
                    return Command(update={"files": {
                        "/a.txt": None,
                        "/b.txt": {**old, "content": old["content"] + ["three"]},
                        "/c.txt": {"content": ["", "x"]},
                        "d.txt": "plain",
                    }})
                """;
        var turns = ScriptRuns.Turns(("write_file", """{"file_path": "/a.txt", "content": "one\ntwo"}"""), ("t", "{}"));

        var outcome = await _runs.RunAsync(ScriptRuns.Agent(ScriptRuns.Tool("t", script), turns));

        var files = outcome.State!.Get<FileTree>(AgentState.Files)!;
        Assert.Equal(["/b.txt", "/c.txt", "/d.txt"], files.Entries.Keys);
        Assert.Equal("one\ntwo\nthree", files["/b.txt"]!.Content);
        Assert.Equal("\nx", files["/c.txt"]!.Content);
        Assert.Equal("plain", files["/d.txt"]!.Content);
        Assert.All(files.Entries.Values, file => Assert.InRange(file.CreatedAt.Year, 2020, 2200));
        Assert.Equal(["", ""], ScriptRuns.Answers(outcome).Skip(1).Append("")); // a command without a message has no result
    }

    [Fact]
    public async Task A_command_updates_channels_through_their_reducers_and_its_message_is_the_result()
    {
        var script =
            Head
            + """
                @tool
                def t(note: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command:
                    "d"
                    return Command(update={
                        "notes": [note],
                        "count": 1,
                        "messages": [ToolMessage(content=f"noted {note}", tool_call_id=tool_call_id), HumanMessage("by the way")],
                    })
                """;
        var outcome = await _runs.RunAsync(
            ScriptRuns.Agent(
                ScriptRuns.Tool("t", script),
                ScriptRuns.Turns(("t", """{"note": "a"}"""), ("t", """{"note": "b"}""")),
                """{"notes": {"type": "list", "reducer": "add_messages"}, "count": {"type": "int", "reducer": "operator.add"}}"""
            )
        );

        Assert.Equal("""["a","b"]""", ScriptRuns.Json(outcome, "notes"));
        Assert.Equal("2", ScriptRuns.Json(outcome, "count"));
        Assert.Equal(["noted a", "noted b"], ScriptRuns.Answers(outcome));
        Assert.Equal(2, outcome.State!.Get<MessageLog>(AgentState.Messages)!.Count(message => message.Text == "by the way"));
    }

    [Theory]
    [InlineData("Command(goto='END')", "Command(goto=...) cannot be used in a tool")]
    [InlineData("Command(resume=1)", "Command(resume=...) cannot be used in a tool")]
    [InlineData("Command(update={'nowhere': 1})", "there is no channel 'nowhere'; the channels are messages, files, todos, notes")]
    [InlineData("Command(update={'files': [1]})", "expects an object that maps paths to files")]
    [InlineData("Command(update={'notes': [object()]})", "contains a value of the type object, which is not JSON")]
    [InlineData("Command(update=7)", "the update of a Command is of the type int")]
    public async Task A_command_that_cannot_be_carried_out_is_an_error(string command, string message)
    {
        var answer = await CallAsync(
            $"@tool\ndef t():\n    'd'\n    return {command}\n",
            "{}",
            """{"notes": {"type": "list", "reducer": "append"}}"""
        );

        Assert.True(answer.IsError);
        Assert.Contains(message, answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_channel_without_a_value_is_empty_and_an_unknown_one_is_an_error_that_lists_the_known_ones()
    {
        const string Script = "@tool\ndef t(notes: Annotated[list, InjectedState(\"notes\")]):\n    'd'\n    return len(notes)\n";

        Assert.Equal("0", (await CallAsync(Script, "{}", """{"notes": {"type": "list"}}""")).Text);
        var unknown = await CallAsync(Script, "{}", "{}");
        Assert.True(unknown.IsError);
        Assert.Contains("the state has no channel 'notes'", unknown.Text, StringComparison.Ordinal);
        Assert.Contains("the channels are files, messages, todos", unknown.Text, StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync() => _runs.DisposeAsync();

    private async Task<Message> CallAsync(string script, string arguments, string schema)
    {
        var outcome = await _runs.RunAsync(
            ScriptRuns.Agent(ScriptRuns.Tool("t", Head + script), ScriptRuns.Turns(("t", arguments)), schema)
        );
        return outcome.State!.Get<MessageLog>(AgentState.Messages)!.Single(message => message.Type == MessageType.Tool);
    }
}
