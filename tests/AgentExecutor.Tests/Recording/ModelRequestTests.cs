using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Recording;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.Recording;

/// <summary>Two model calls are the same request if the recorded answer of one is replayed for the other.</summary>
public sealed class ModelRequestTests
{
    [Theory]
    [InlineData("attempt")]
    [InlineData("turn")]
    [InlineData("message id")]
    [InlineData("base url")]
    [InlineData("automatic tool mode")]
    [InlineData("what is left of a budget")]
    [InlineData("thoughts that do not go back")]
    [InlineData("order of the schema's members")]
    public async Task Values_that_differ_between_runs_are_not_part_of_a_request(string what) => Assert.True(await AreSameAsync(what));

    [Theory]
    [InlineData("agent")]
    [InlineData("model")]
    [InlineData("provider")]
    [InlineData("text")]
    [InlineData("role")]
    [InlineData("image")]
    [InlineData("call id")]
    [InlineData("tool result")]
    [InlineData("temperature")]
    [InlineData("max tokens")]
    [InlineData("reasoning effort")]
    [InlineData("thinking block")]
    [InlineData("tool mode")]
    [InlineData("tool description")]
    [InlineData("response format")]
    public async Task Values_that_determine_the_answer_are_part_of_a_request(string what) => Assert.False(await AreSameAsync(what));

    private static async Task<bool> AreSameAsync(string what)
    {
        using var recording = new TestRecording();
        var spec = TestRecording.Spec("""[{"when": {}, "text": "hello"}]""");
        await AskAsync(recording.Recorder, "", spec);
        var replayer = await recording.ReplayAsync();
        try
        {
            await AskAsync(replayer, what, spec);
            return true;
        }
        catch (Core.FaultException fault) when (fault.Code == Core.FaultCodes.ReplayMismatch)
        {
            return false;
        }
    }

    private static IEnumerable<AIContent> Thoughts(string what) =>
        what switch
        {
            "thinking block" => [new TextReasoningContent("") { ProtectedData = "x" }],
            "thoughts that do not go back" => [new TextReasoningContent("hm")],
            _ => [],
        };

    private static async Task AskAsync(ICallInterceptor interceptor, string what, ModelSpec spec)
    {
        var asked = spec with
        {
            Provider = what == "provider" ? "another" : spec.Provider,
            Model = what == "model" ? "another" : spec.Model,
            MaxTokens = what == "max tokens" ? 10 : 20,
            ReasoningEffort = what == "reasoning effort" ? "high" : null,
            BaseUrl = what == "base url" ? "http://127.0.0.1:1/" : null,
        };
        var call = what == "call id" ? "call-2" : "call-1";
        List<ChatMessage> messages =
        [
            new(ChatRole.System, "Be kind."),
            new(what == "role" ? ChatRole.System : ChatRole.User, what == "text" ? "bye" : "hello")
            {
                MessageId = what == "message id" ? "other" : "one",
            },
            new(ChatRole.User, [new DataContent(new byte[] { 1, 2, (byte)(what == "image" ? 4 : 3) }, "image/png")]),
            new(
                ChatRole.Assistant,
                [.. Thoughts(what), new FunctionCallContent(call, "ls", new Dictionary<string, object?> { ["path"] = "/" })]
            ),
            new(ChatRole.Tool, [new FunctionResultContent(call, what == "tool result" ? "/b" : "/a")]),
        ];
        var schema =
            what == "order of the schema's members"
                ? """{"properties": {}, "type": "object"}"""
                : """{"type": "object", "properties": {}}""";
        var options = new AgentChatOptions
        {
            Agent = what == "agent" ? "b" : "a",
            Turn = what == "turn" ? 7 : 1,
            Attempt = what == "attempt" ? 3 : 1,
            Temperature = what == "temperature" ? 0.7f : 0.2f,
            MaxOutputTokens = what == "what is left of a budget" ? 7 : 20,
            ToolMode = what switch
            {
                "tool mode" => ChatToolMode.RequireSpecific("ls"),
                "automatic tool mode" => ChatToolMode.Auto,
                _ => null,
            },
            ResponseFormat = what == "response format" ? ChatResponseFormat.ForJsonSchema(Engine.Json("{}"), "answer") : null,
            Tools = [AIFunctionFactory.CreateDeclaration("ls", what == "tool description" ? "Lists all." : "Lists.", Engine.Json(schema))],
        };
        await interceptor
            .Intercept(TestRecording.Scripted)
            .CreateClient(asked)
            .GetStreamingResponseAsync(messages, options, TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);
    }
}
