using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Tests.ModelCalls;
using Microsoft.Extensions.AI;
using static AgentExecutor.Tests.ModelCalls.TestAnswer;

namespace AgentExecutor.Tests.Agents;

public sealed class ToolChoiceTests
{
    [Fact]
    public async Task A_required_tool_is_forced_until_it_has_been_called()
    {
        Assert.Equal(["must call ls", "free"], await ModesAsync("ls", Call("ls"), Text("done")));
        Assert.Equal(
            ["must call ls", "must call ls", "free"],
            await ModesAsync("ls", Call("glob"), Call("ls", call: new FunctionCallContent("c2", "ls")), Text("done"))
        );
        Assert.Equal(["must call", "free"], await ModesAsync("required", Call("glob"), Text("done")));
    }

    [Fact]
    public async Task None_forbids_tool_calls_and_auto_sets_no_mode()
    {
        Assert.Equal(["none"], await ModesAsync("none", Text("done")));
        Assert.Equal(["free"], await ModesAsync("auto", Text("done")));
    }

    [Fact]
    public void A_required_tool_is_forced_again_after_a_new_request_but_not_after_a_summary()
    {
        var choice = new ToolChoice("required");
        var asked = MessageLog.Of(
            Message.Human("h", "go"),
            Message.Ai("a", "", new ToolCall("1", "ls", Engine.Json("{}"))),
            Message.Ai("b", "done")
        );

        Assert.Null(choice.ModeFor(asked));
        Assert.Equal(ChatToolMode.RequireAny, choice.ModeFor(asked.Apply(MessageUpdate.Append(Message.Human("h2", "and now?")))));
        Assert.Null(choice.ModeFor(asked.Apply(MessageUpdate.Append(Message.Human("invalid-output-7", "mend it")))));
        Assert.Null(choice.ModeFor(MessageLog.Of(Message.Human("summary-7", "so far ..."), Message.Ai("c", "done"))));
    }

    private static async Task<IEnumerable<string>> ModesAsync(string choice, params TestAnswer[] answers)
    {
        var server = new TestProvider("test", ("a", answers));
        var graph = AgentGraph.Build(
            TestProvider.Agent("test:a") with
            {
                ToolChoice = new ToolChoice(choice),
            },
            new ModelCatalog([server]),
            []
        );
        await new Engine().RunAsync(graph, (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go"))));
        return server.Calls.Select(it =>
            it.Options.ToolMode switch
            {
                RequiredChatToolMode { RequiredFunctionName: { } tool } => $"must call {tool}",
                RequiredChatToolMode => "must call",
                NoneChatToolMode => "none",
                _ => "free",
            }
        );
    }
}
