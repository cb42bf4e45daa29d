using AgentExecutor.Core;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>Valid answers with another framing, media type or end than documented.</summary>
public sealed class AnswerFramingTests
{
    private const string Whole =
        """{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":"""
        + """{"role":"assistant","content":"All is well."},"finish_reason":"stop"}]"""
        + ""","usage":{"prompt_tokens":5,"completion_tokens":3}}""";
    private const string WholeMessage =
        """{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"All is well."}]"""
        + ""","stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":3}}""";
    private const string Chunk = """{"choices":[{"index":0,"delta":{"content":"All is well."},"finish_reason":"stop"}]}""";
    private const string Event = """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"All is well."}}""";
    private const string Stop = """{"type":"message_delta","delta":{"stop_reason":"end_turn"}}""";
    private const string Pretty =
        "{\n  \"choices\": [\n\n    {\"message\": {\n      \"content\": \"All is well.\"\n    },\n"
        + "    \"finish_reason\": \"stop\"}\n  ]\n}\n";

    public static TheoryData<string, string, string> Framings =>
        new()
        {
            { Compatible, "application/json; x=1", $"data: {Chunk}\n\ndata: [DONE]\n\n" },
            { Compatible, "text/event-stream", Whole },
            { Compatible, "text/event-stream", $"{Whole}\n\ndata: [DONE]\n\n" },
            { Compatible, "text/event-stream", $"{Whole}data: [DONE]\n\n" },
            { Compatible, "text/event-stream", $"data: {Whole}\n\ndata: [DONE]\n\n" },
            { Compatible, "text/plain", Whole },
            { Compatible, "text/plain", $"data: {Chunk}\n\n" },
            { Compatible, "", $"data: {Chunk}\n\n" },
            { Compatible, "", Pretty },
            { Compatible, "text/event-stream", Pretty },
            {
                Compatible,
                "application/x-ndjson",
                $"{{\"choices\":[{{\"delta\":{{\"content\":\"All \"}}}}]}}\n{Chunk.Replace("All is", "is", StringComparison.Ordinal)}\n"
            },
            {
                Compatible,
                "text/event-stream",
                $"\r\n: hello\r\nevent: message\r\nid: 7\r\nretry: 3\r\ndata:{Chunk}\r\n\r\ndata:[DONE]\r\n\r\n"
            },
            { Compatible, "text/event-stream", $"data: {Chunk}\ndata: [DONE]\n" },
            { Compatible, "text/event-stream", $"data: data: {Chunk}\n\n" },
            {
                Compatible,
                "text/event-stream",
                "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"All is well.\"},\ndata: \"finish_reason\":\"stop\"}]}\n\n"
            },
            { Compatible, "application/json; x=1", $"[{Whole}]" },
            { Claude, "application/json; x=1", $"event: content_block_delta\ndata: {Event}\n\nevent: message_delta\ndata: {Stop}\n\n" },
            { Claude, "text/event-stream", WholeMessage },
            { Claude, "text/event-stream", $"data: {WholeMessage}\n\n" },
            { Claude, "", WholeMessage },
            { Claude, "text/plain", $"{Event}\n{Stop}\n" },
            { Claude, "text/event-stream", $"data:{Event}\r\n\r\ndata:{Stop}\r\n\r\ndata: [DONE]\r\n\r\n" },
        };

    [Theory]
    [MemberData(nameof(Framings))]
    public async Task An_answer_is_read_by_its_content_and_not_by_its_media_type(string provider, string label, string body)
    {
        await using var server = await ModelServer.StartAsync(new ModelReply { Pieces = [body], ContentType = label });
        var client = Client(server, provider);

        var streamed = await AskAsync(client);
        var whole = await client.GetResponseAsync([new ChatMessage(ChatRole.User, "Hi")], Options(), TestContext.Current.CancellationToken);

        Assert.Equal(("All is well.", ChatFinishReason.Stop), (streamed.Text, streamed.FinishReason));
        Assert.Equal(("All is well.", ChatFinishReason.Stop), (whole.Text, whole.FinishReason));
    }

    [Theory]
    [InlineData(Compatible, "<!DOCTYPE html>\n<html><body>Sign in</body></html>", "returned HTML or XML instead of JSON")]
    [InlineData(Claude, "<html></html>", "returned HTML or XML instead of JSON")]
    [InlineData(Compatible, "upstream is restarting", "upstream is restarting")]
    [InlineData(Claude, "null", "null")]
    [InlineData(Compatible, "", "it returned an empty answer")]
    [InlineData(Compatible, "data: [DONE]\n\n", "the answer ended before it was complete")]
    [InlineData(Compatible, """{"choices":[{"message":{"content":"All is""", "the answer ended before it was complete")]
    [InlineData(Compatible, "event: error\ndata: the model fell over\n\n", "the model fell over")]
    public async Task A_body_that_is_no_answer_is_reported(string provider, string body, string words)
    {
        await using var server = await ModelServer.StartAsync(new ModelReply { Pieces = [body], ContentType = "text/html" });

        var fault = await FaultAsync(server, provider);

        Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Compatible, """{"choices":[{"delta":{"content":"So"}}]}|[DONE]""", "So", 0)]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"content":"So"},"finish_reason":""}]}|{"choices":[{"delta":{},"finish_reason":"null"}]}|[DONE]""",
        "So",
        0
    )]
    [InlineData(Compatible, """{"choices":[{"delta":{"content":"So"},"finish_reason":"whatever_comes"}]}""", "So", 0)]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"lookup","arguments":"{}"}}]}}]}|[DONE]""",
        "",
        1
    )]
    [InlineData(
        Claude,
        """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"So"}}|{"type":"message_stop"}""",
        "So",
        0
    )]
    [InlineData(
        Claude,
        """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"So"}}|"""
            + """{"type":"message_delta","delta":{"stop_reason":"tired"}}""",
        "So",
        0
    )]
    public async Task An_answer_with_an_unknown_finish_reason_is_complete_if_its_end_is_marked(
        string provider,
        string events,
        string text,
        int calls
    )
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(events.Split('|')));

        var answer = await AskAsync(Client(server, provider), "Hi", Options(Lookup));

        Assert.Equal((text, calls), (answer.Text, answer.Calls.Count));
        Assert.Equal(calls > 0 ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop, answer.FinishReason);
    }

    [Theory]
    [InlineData(Compatible, """{"choices":[{"delta":{"content":"So"}}]}""")]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"lookup","arguments":"{\"wo"}}]}}]}|[DONE]"""
    )]
    [InlineData(Compatible, """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"arguments":"{}"}}]}}]}|[DONE]""")]
    [InlineData(Compatible, """{"choices":[{"delta":{"content":"So"},"finish_reason":"abort"}]}|[DONE]""")]
    [InlineData(
        Claude,
        """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"lookup"}}|"""
            + """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"wo"}}|"""
            + """{"type":"message_stop"}"""
    )]
    public async Task A_truncated_answer_is_a_transient_fault(string provider, string events)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(events.Split('|')));

        var fault = await FaultAsync(server, provider, Options(Lookup));

        Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
    }

    [Theory]
    [InlineData(Compatible, $"{Chunk}")]
    [InlineData(Claude, $"{Event}|{Stop}")]
    public async Task An_answer_ends_at_its_finish_reason_while_the_connection_stays_open(string provider, string events)
    {
        var pieces = events.Split('|').Select(it => $"data: {it}\n\n").ToList();
        await using var server = await ModelServer.StartAsync(
            new ModelReply
            {
                Pieces = [.. pieces, "never sent"],
                EndsAfter = pieces.Count,
                Ending = ModelEnding.Stall,
            }
        );

        Assert.Equal(
            "All is well.",
            (await AskAsync(Client(server, provider)).WaitAsync(AgentExecutorProgram.Limit, TestContext.Current.CancellationToken)).Text
        );
    }
}
