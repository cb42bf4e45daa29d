using System.Text;
using AgentExecutor.IntegrationTests.Servers;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>Answers that are not well-formed Unicode: halves of surrogate pairs, split characters, and bytes that are not UTF-8.</summary>
public sealed class UnicodeAnswerTests
{
    private const string OpenAIEnd = """{"choices":[{"delta":{},"finish_reason":"stop"}]}|[DONE]""";
    private const string AnthropicEnd = """{"type":"message_delta","delta":{"stop_reason":"end_turn"}}|{"type":"message_stop"}""";

    [Theory]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"content":"Sent \ud83d"}}]}|{"choices":[{"delta":{"content":"\udce6 today"}}]}""",
        "Sent 📦 today"
    )]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"content":"Sent \ud83d"}}]}|{"choices":[{"delta":{"content":" today\udce6"}}]}""",
        "Sent \uFFFD today\uFFFD"
    )]
    [InlineData(Compatible, """{"choices":[{"delta":{"content":"Sent \ud83d"}}]}""", "Sent \uFFFD")]
    [InlineData(Compatible, """{"choices":[{"message":{"content":"Sent \ud83d!"},"finish_reason":"stop"}]}""", "Sent \uFFFD!")]
    [InlineData(Compatible, """{"model":"\ud83d","id":"\udce6","choices":[{"delta":{"content":"a\u0000b"}}]}""", "a\0b")]
    [InlineData(
        Claude,
        """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Sent \ud83d"}}|"""
            + """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\udce6"}}""",
        "Sent 📦"
    )]
    [InlineData(Claude, """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Sent \udce6"}}""", "Sent \uFFFD")]
    [InlineData(
        Claude,
        """{"type":"message","content":[{"type":"text","text":"Sent \ud83d!"}],"stop_reason":"end_turn"}""",
        "Sent \uFFFD!"
    )]
    public async Task Halves_in_a_text_are_joined_or_replaced(string provider, string events, string text)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Raw($"{events}|{(provider == Claude ? AnthropicEnd : OpenAIEnd)}".Split('|'))
        );

        Assert.Equal(text, (await AskAsync(Client(server, provider))).Text);
    }

    [Theory]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"reasoning_content":"Hm \ud83d"}}]}|{"choices":[{"delta":{"reasoning_content":"\udce6"}}]}|"""
            + """{"choices":[{"delta":{"content":"x"}}]}"""
    )]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"reasoning":"Hm \ud83d"}}]}|{"choices":[{"delta":{"content":"x"}}]}|"""
            + """{"choices":[{"delta":{"reasoning":"\udce6"}}]}"""
    )]
    [InlineData(
        Claude,
        """{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm \ud83d"}}|"""
            + """{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\udce6"}}|"""
            + """{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"x"}}"""
    )]
    public async Task Halves_in_a_thought_are_joined(string provider, string events)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Raw($"{events}|{(provider == Claude ? AnthropicEnd : OpenAIEnd)}".Split('|'))
        );

        var answer = await AskAsync(Client(server, provider));

        Assert.Equal(("Hm 📦", "x"), (answer.Reasoning, answer.Text));
    }

    [Theory] // The halves are in the outer text, in escapes of the inner JSON, and in a name.
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":"""
            + """{"name":"lookup","arguments":"{\"word\":\"\ud83d"}}]}}]}|"""
            + """{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\udce6\"}"}}]}}]}""",
        "lookup",
        "📦"
    )]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":"""
            + """{"name":"lookup","arguments":"{\"word\":\"\\ud83d"}}]}}]}|"""
            + """{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\udce6\"}"}}]}}]}""",
        "lookup",
        "📦"
    )]
    [InlineData(
        Compatible,
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c\ud83d","function":"""
            + """{"name":"lookup","arguments":"{\"word\":\"\\ud83d!\"}"}}]}}]}""",
        "lookup",
        "\uFFFD!"
    )]
    [InlineData(
        Compatible,
        """{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"look\ud83d","arguments":{"word":"\udce6"}}}]}"""
            + ""","finish_reason":"tool_calls"}]}""",
        "look\uFFFD",
        "\uFFFD"
    )]
    [InlineData(
        Claude,
        """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"lookup","input":{}}}|"""
            + """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"word\":\"\\ud83d"}}|"""
            + """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"!\"}"}}""",
        "lookup",
        "\uFFFD!"
    )]
    [InlineData(
        Claude,
        """{"type":"message","content":[{"type":"tool_use","id":"c","name":"lookup","input":{"word":"\ud83d"}}]"""
            + ""","stop_reason":"tool_use"}""",
        "lookup",
        "\uFFFD"
    )]
    public async Task Halves_in_a_tool_call_are_joined_or_replaced(string provider, string events, string name, string word)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Raw($"{events}|{(provider == Claude ? AnthropicEnd : OpenAIEnd)}".Split('|'))
        );

        var call = Assert.Single((await AskAsync(Client(server, provider), "Hi", Options(Lookup))).Calls);

        Assert.Equal((name, word, null), (call.Name, call.Arguments!["word"]?.ToString(), call.Exception));
    }

    [Theory]
    [InlineData(Compatible)]
    [InlineData(Claude)]
    public async Task Split_characters_invalid_bytes_and_a_byte_order_mark_are_read(string provider)
    {
        var before = Encoding.UTF8.GetBytes(
            provider == Claude
                ? """data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Größe """
                : """data: {"choices":[{"delta":{"content":"Größe """
        );
        var after = Encoding.UTF8.GetBytes(
            (provider == Claude ? "\"}}\n\n" : "\"}}]}\n\n")
                + string.Concat((provider == Claude ? AnthropicEnd : OpenAIEnd).Split('|').Select(it => $"data: {it}\n\n"))
        );
        var box = Encoding.UTF8.GetBytes("📦");
        await using var server = await ModelServer.StartAsync(
            new ModelReply
            {
                Bytes =
                [
                    [.. Encoding.UTF8.Preamble, .. before, .. box[..2]],
                    box[2..],
                    [0xFF, .. after],
                ],
            }
        );

        Assert.Equal("Größe 📦\uFFFD", (await AskAsync(Client(server, provider))).Text);
    }

    [Theory]
    [InlineData(
        """{"id":"chatcmpl","choices":[{"index":0,"message":{"role":"assistant","content":"a" """,
        """,  "x":1},"finish_reason":"stop"}]}"""
    )]
    public async Task A_whole_answer_with_invalid_bytes_is_read(string before, string after)
    {
        await using var server = await ModelServer.StartAsync(
            new ModelReply
            {
                Bytes =
                [
                    [
                        .. Encoding.UTF8.Preamble,
                        .. Encoding.UTF8.GetBytes(before.TrimEnd()[..^1]),
                        0xC3,
                        (byte)'"',
                        .. Encoding.UTF8.GetBytes(after),
                    ],
                ],
                ContentType = "application/json; charset=utf-8",
            }
        );

        Assert.Equal("a\uFFFD", (await AskAsync(Client(server, Compatible))).Text);
    }
}
