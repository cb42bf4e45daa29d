using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>
/// Answers of nearly compatible servers: messages instead of deltas, parts instead of texts, and calls and counts in every form.
/// </summary>
public sealed class AnswerShapeTests
{
    [Theory]
    [InlineData(
        """{"choices":[{"delta":{"content":"All "}}]}|{"choices":[{"delta":{"content":"is well."}}]}|"""
            + """{"choices":[{"message":{"content":"All is well."},"finish_reason":"stop"}]}"""
    )]
    [InlineData(
        """{"choices":[{"delta":{"content":"All "}}]}|"""
            + """{"choices":[{"delta":{"content":"is well."},"message":{"content":"All is well."},"finish_reason":"stop"}]}"""
    )]
    [InlineData("""{"choices":[{"delta":{},"message":{"content":"All is well."},"finish_reason":"stop"}]}""")]
    [InlineData(
        """{"choices":[{"message":{"content":"All "}}]}|{"choices":[{"message":{"content":"is well."}}]}|"""
            + """{"choices":[{"message":{},"finish_reason":"stop"}]}"""
    )]
    [InlineData(
        """{"choices":[{"delta":{"content":"All "}}]}|{"object":"chat.completion","choices":[{"message":{"content":"All is well."}}]}"""
    )]
    [InlineData(
        """{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]}"""
            + """,{"type":"text","text":"All is well."}]},"finish_reason":"stop"}]}"""
    )]
    [InlineData("""{"choices":[{"delta":{"content":{"type":"text","text":"All is well."}},"finish_reason":"stop"}]}""")]
    [InlineData(
        """{"choices":[{"delta":{"content":null,"role":"assistant"}}]}|"""
            + """{"choices":[{"delta":{"content":"All is well."},"finish_reason":"stop"}]}"""
    )]
    [InlineData("""{"choices":[{"text":"All is well.","finish_reason":"stop"}]}""")]
    [InlineData("""{"choices":{"delta":{"content":"All is well."},"finish_reason":"stop"}}""")]
    [InlineData(
        """{"choices":[{"index":0,"delta":{"content":"All is well."}},{"index":1,"delta":{"content":"Not this."}}]}|"""
            + """{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}|"""
            + """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""
    )]
    public async Task A_text_is_delivered_once_wherever_the_server_puts_it(string chunks)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(chunks.Split('|')));

        var answer = await AskAsync(Client(server, Compatible));

        Assert.Equal(("All is well.", ChatFinishReason.Stop), (answer.Text, answer.FinishReason));
    }

    [Theory]
    [InlineData(
        """{"tool_calls":[{"index":0,"id":"a","function":{"name":"look","arguments":""}}]}|"""
            + """{"tool_calls":[{"index":0,"function":{"name":"up","arguments":"{\"word\":1}"}}]}""",
        "lookup 1"
    )] // a name in pieces
    [InlineData(
        """{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":"{\"wo"}}]}|"""
            + """{"tool_calls":[{"index":0,"id":"b","function":{"name":"lookup","arguments":"rd\":1}"}}]}""",
        "lookup 1"
    )] // each piece has another id
    [InlineData(
        """{"tool_calls":[{"id":"a","function":{"name":"lookup","arguments":"{\"wo"}}]}|"""
            + """{"tool_calls":[{"id":"b","function":{"arguments":"rd\":1}"}}]}""",
        "lookup 1"
    )]
    [InlineData(
        """{"tool_calls":[{"function":{"name":"lookup","arguments":"{\"wo"}}]}|"""
            + """{"tool_calls":[{"function":{"name":"lookup","arguments":"rd\":1}"}}]}""",
        "lookup 1"
    )]
    [InlineData(
        """{"tool_calls":[{"index":0,"function":{"name":"lookup","arguments":"{\"word\":1}"}}]}|"""
            + """{"tool_calls":[{"index":0,"function":{"name":"other","arguments":"{\"word\":2}"}}]}""",
        "lookup 1,other 2"
    )] // all at index 0, without ids
    [InlineData("""{"tool_calls":[{"index":0,"function":{"name":"lookup"}},{"index":0,"function":{"name":"other"}}]}""", "lookup ,other ")]
    [InlineData(
        """{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":"{\"word\":1}"}}]}|"""
            + """{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":"{\"word\":1}"}}]}""",
        "lookup 1"
    )] // everything twice
    [InlineData(
        """{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":{"word":1}}}]}|"""
            + """{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":{"word":1}}}]}""",
        "lookup 1"
    )]
    [InlineData("""{"tool_calls":{"id":"a","function":{"name":"lookup","arguments":"{\"word\":1}"}}}""", "lookup 1")] // not a list
    [InlineData("""{"tool_calls":[{"id":"a","name":"lookup","arguments":{"word":1}}]}""", "lookup 1")] // flat
    // JSON in a string in a string
    [InlineData("""{"tool_calls":[{"id":"a","function":{"name":"lookup","arguments":"\"{\\\"word\\\":1}\""}}]}""", "lookup 1")]
    [InlineData("""{"tool_calls":[{"id":"a","function":{"name":"lookup","arguments":"null"}}]}""", "lookup ")]
    [InlineData(
        """{"tool_calls":[{"index":0},{"index":1,"id":"a","function":{"name":"lookup","arguments":"{\"word\":1}"}}]}""",
        "lookup 1"
    )] // an empty element
    // the older form
    [InlineData("""{"function_call":{"name":"lookup","arguments":"{\"wo"}}|{"function_call":{"arguments":"rd\":1}"}}""", "lookup 1")]
    [InlineData(
        """{"tool_calls":[{"id":"a","function":{"name":"lookup","arguments":"{\"word\":1}"}}]"""
            + ""","function_call":{"name":"lookup","arguments":"{\"word\":1}"}}""",
        "lookup 1"
    )] // both forms
    public async Task Tool_calls_are_understood_in_every_form(string deltas, string calls)
    {
        foreach (var place in (string[])["delta", "message"])
        {
            var chunks = deltas
                .Split('|')
                .Select(delta => $$"""{"choices":[{"{{place}}":{{delta}}}]}""")
                .Append("""{"choices":[{"delta":{},"finish_reason":"stop"}]}""");
            await using var server = await ModelServer.StartAsync(ModelReply.Raw(chunks));

            var answer = await AskAsync(Client(server, Compatible), "Hi", Options(Lookup));

            Assert.Equal(
                calls,
                string.Join(
                    ',',
                    answer.Calls.Select(call => $"{call.Name} {(call.Arguments!.TryGetValue("word", out var word) ? word : "")}")
                )
            );
            Assert.Equal(answer.Calls.Count, answer.Calls.Select(call => call.CallId).Where(id => id.Length > 0).Distinct().Count());
            Assert.Equal(ChatFinishReason.ToolCalls, answer.FinishReason);
        }
    }

    [Theory]
    [InlineData("""{"prompt_tokens":1000.0,"completion_tokens":500.0}""", 1000, 500)]
    [InlineData("""{"prompt_tokens":"1000","completion_tokens":" 500 "}""", 1000, 500)]
    [InlineData("""{"input_tokens":1000,"output_tokens":500}""", 1000, 500)]
    [InlineData("""[{"prompt_tokens":1000,"completion_tokens":500}]""", 1000, 500)]
    [InlineData("""{"prompt_tokens":1000,"completion_tokens":null}""", 1000, null)]
    [InlineData("""{"prompt_tokens":-5,"completion_tokens":1e300}""", null, null)]
    [InlineData("""{"prompt_tokens":"many","completion_tokens":[5]}""", null, null)]
    [InlineData("""{"prompt_tokens":99999999999999999999,"completion_tokens":{}}""", null, null)]
    [InlineData("""{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}""", null, null)]
    [InlineData("{}", null, null)]
    [InlineData("null", null, null)]
    [InlineData("7", null, null)]
    [InlineData("\"lots\"", null, null)]
    public async Task A_count_of_tokens_is_a_positive_number_or_none(string usage, int? input, int? output)
    {
        foreach (
            var chunk in (string[])
                [
                    """{"choices":[],"usage":USAGE}""",
                    """{"choices":[],"x_groq":{"usage":USAGE}}""",
                    """{"choices":[{"index":0,"delta":{},"usage":USAGE}]}""",
                ]
        )
        {
            await using var server = await ModelServer.StartAsync(
                ModelReply.Raw(
                    """{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}""",
                    chunk.Replace("USAGE", usage, StringComparison.Ordinal),
                    "[DONE]"
                )
            );

            var counted = (await AskAsync(Client(server, Compatible))).Usage;

            Assert.Equal((input, output), (counted?.InputTokenCount, counted?.OutputTokenCount));
        }
    }

    [Fact]
    public async Task The_last_plausible_count_of_tokens_is_used()
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Raw(
                """{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":10,"completion_tokens":1}}""",
                """{"choices":[{"delta":{"content":"y"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2}}""",
                """{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}""",
                "[DONE]"
            )
        );

        var usage = (await AskAsync(Client(server, Compatible))).Usage;

        Assert.Equal((10, 2), (usage!.InputTokenCount, usage.OutputTokenCount));
    }

    [Theory]
    [InlineData("""{"input_tokens":1000.0,"output_tokens":1}""", """{"output_tokens":"500"}""", 1000, 500)]
    [InlineData("""{"input_tokens":0,"cache_read_input_tokens":900}""", """{"input_tokens":0,"output_tokens":5}""", 900, 5)]
    [InlineData("""{"input_tokens":0,"output_tokens":0}""", "{}", null, null)]
    [InlineData("null", "[]", null, null)]
    public async Task Counts_of_the_Anthropic_API_are_checked_in_the_same_way(string first, string last, int? input, int? output)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Raw(
                $$$"""{"type":"message_start","message":{"usage":{{{first}}}}}""",
                """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}""",
                $$$"""{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{{{last}}}}"""
            )
        );

        var usage = (await AskAsync(Client(server, Claude))).Usage;

        Assert.Equal((input, output), (usage?.InputTokenCount, usage?.OutputTokenCount));
    }
}
