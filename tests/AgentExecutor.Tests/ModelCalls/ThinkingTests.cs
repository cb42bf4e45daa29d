using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.ModelCalls;

/// <summary>How thinking blocks of a model are stored and sent back.</summary>
public sealed class ThinkingTests
{
    [Fact]
    public async Task Blocks_are_sent_back_in_their_position_and_never_published()
    {
        var (server, engine) = await RunAsync(
            new TextReasoningContent("Hm, "),
            new TextReasoningContent("well."),
            Block("b1"),
            new TextContent("I "),
            new TextContent("look."),
            Block("b2"),
            new TextReasoningContent("unsigned"),
            new TextContent(" Now.")
        );

        Assert.Equal("[Hm, well.|b1] I look. [|b2]  Now. call", string.Join(' ', server.Calls[1].Messages[2].Contents.Select(Describe)));
        var published = string.Concat(engine.Events.All.Select(it => JsonBytes.WriteText(it, RunEventJson.Write)));
        Assert.Contains("\"reasoning\":\"Hm, well.unsigned\"", published, StringComparison.Ordinal);
        Assert.DoesNotContain("thinking_blocks", published, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_is_stored_without_blocks_that_are_too_large()
    {
        var (server, _) = await RunAsync(
            new TextReasoningContent("Hm."),
            Block(new string('x', ThinkingBlock.MaxPerMessage)),
            new TextContent("I look.")
        );

        Assert.Equal("[Hm.|] I look. call", string.Join(' ', server.Calls[1].Messages[2].Contents.Select(Describe)));
    }

    [Fact]
    public void A_message_is_stored_with_its_blocks_if_it_has_any()
    {
        var plain = Message.Ai("a", "Hi");
        var message = plain with { ThinkingBlocks = [new ThinkingBlock("b1", "Hm \"\\ö.", 1), new ThinkingBlock("b2")] };

        var read = (MessageEdit.Put)MessageJson.ReadUpdate(Json(message), "x").Edits[0];

        Assert.Equal(message.ThinkingBlocks, read.Message.ThinkingBlocks);
        Assert.Equal("""{"type":"ai","content":"Hi","id":"a"}""", Json(plain).GetRawText());
        Assert.Equal(
            """[{"data":"b1","text":"Hm \"\\ö.","text_before":1},{"data":"b2"}]""",
            Json(message).GetProperty("thinking_blocks").GetRawText()
        );
        Assert.True(message.Length > plain.Length);
    }

    private static JsonElement Json(Message message) => JsonBytes.Element(message, MessageJson.Write);

    private static TextReasoningContent Block(string data) => new("") { ProtectedData = data };

    private static async Task<(TestProvider Server, Engine Engine)> RunAsync(params AIContent[] contents)
    {
        var server = new TestProvider(
            "test",
            (
                "a",
                [
                    TestAnswer.Of([
                        .. contents.Select(content => new ChatResponseUpdate(ChatRole.Assistant, [content])),
                        new ChatResponseUpdate(ChatRole.Assistant, [new FunctionCallContent("c", "nope")])
                        {
                            FinishReason = ChatFinishReason.ToolCalls,
                        },
                    ]),
                    TestAnswer.Text("Done."),
                ]
            )
        );
        var engine = new Engine();
        await engine.RunAsync(
            AgentGraph.Build(TestProvider.Agent("test:a"), new ModelCatalog([server]), []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))
        );
        return (server, engine);
    }

    private static string Describe(AIContent content) =>
        content switch
        {
            TextReasoningContent thought => $"[{thought.Text}|{thought.ProtectedData}]",
            TextContent text => text.Text,
            FunctionCallContent => "call",
            _ => content.ToString()!,
        };
}
