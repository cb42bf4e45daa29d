using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>Answers of models over HTTP.</summary>
public sealed class ModelAnswerTests
{
    private static readonly ModelToolCall[] TwoCalls =
    [
        new("call_1", "lookup", """{"word": "grüße"}"""),
        new("call_2", "lookup", """{"word": "b", "deep": {"n": [1, 2.5]}}"""),
    ];

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    [InlineData(Compatible)]
    [InlineData(Ollama)]
    public async Task Text_thinking_calls_and_usage_are_separated(string provider)
    {
        await using var server = await ModelServer.StartAsync(
            new ModelReply
            {
                Text = "Größe 👍 and more",
                Reasoning = "Let me think.",
                Calls = TwoCalls,
                Usage = (100, 20, 60, 0),
            }
        );

        var answer = await AskAsync(Client(server, provider), "Hi", Options(Lookup));

        Assert.Equal(
            ("Größe 👍 and more", "Let me think.", ChatFinishReason.ToolCalls),
            (answer.Text, answer.Reasoning, answer.FinishReason)
        );
        Assert.True(answer.TextChunks > 1);
        Assert.Equal(["""lookup {"word":"grüße"}""", """lookup {"word":"b","deep":{"n":[1,2.5]}}"""], answer.CallTexts);
        Assert.Equal(["call_1", "call_2"], answer.Calls.Select(call => call.CallId));
        Assert.Equal((160, 20, 60), (answer.Usage!.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.CachedInputTokenCount));
        Assert.Equal(ModelOf(provider), answer.ModelId);
        Assert.True(server.Calls.Single().IsStream);
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task An_answer_without_a_stream_has_the_same_content(string provider)
    {
        await using var server = await ModelServer.StartAsync(
            new ModelReply
            {
                Text = "Hello!",
                Calls = TwoCalls,
                Usage = (7, 3, 0, 5),
            }
        );

        var answer = await Client(server, provider)
            .GetResponseAsync([new ChatMessage(ChatRole.User, "Hi")], Options(Lookup), TestContext.Current.CancellationToken);

        Assert.Equal(
            ("Hello!", ChatFinishReason.ToolCalls, 2),
            (answer.Text, answer.FinishReason, answer.Messages[0].Contents.OfType<FunctionCallContent>().Count())
        );
        Assert.Equal((provider == Claude ? 12 : 7, 3), (answer.Usage!.InputTokenCount, answer.Usage.OutputTokenCount));
        Assert.Equal(provider == Claude ? 5 : 0, UsageCounts.CacheWrite(answer.Usage));
        Assert.False(server.Calls.Single().IsStream);
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task Text_is_delivered_before_the_answer_is_complete(string provider)
    {
        var received = new TaskCompletionSource();
        await using var server = await ModelServer.StartAsync(
            new ModelReply
            {
                Text = "first, then the rest",
                ChunkSize = 5,
                Between = piece => piece < 4 ? Task.CompletedTask : received.Task,
            }
        );

        var text = "";
        await foreach (
            var update in Client(server, provider)
                .GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "Hi")], Options(), TestContext.Current.CancellationToken)
        )
        {
            text += update.Text;
            if (text.Length > 0)
            {
                received.TrySetResult(); // The server continues only now.
            }
        }

        Assert.Equal("first, then the rest", text);
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task Arguments_that_are_not_JSON_are_kept_unchanged(string provider)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Asks(new("c1", "lookup", """{"word": "a"""), new("c2", "lookup", "[1]"), new("c3", "lookup", ""))
        );

        var answer = await AskAsync(Client(server, provider), "Hi", Options(Lookup));

        Assert.Equal(["""{"word": "a""", "[1]", null], answer.Calls.Select(call => call.RawRepresentation));
        Assert.Equal([true, true, false], answer.Calls.Select(call => call.Exception is JsonException));
    }

    [Theory]
    [InlineData(Gpt, "length")]
    [InlineData(Claude, "max_tokens")]
    public async Task An_answer_that_reached_its_limit_reports_it(string provider, string reason)
    {
        await using var server = await ModelServer.StartAsync(new ModelReply { Text = "So far", FinishReason = reason });

        Assert.Equal(ChatFinishReason.Length, (await AskAsync(Client(server, provider))).FinishReason);
    }

    [Theory]
    [InlineData(Gpt, 2)] // the usage and the end mark are missing
    [InlineData(Gpt, 1)]
    [InlineData(Claude, 1)]
    public async Task An_answer_with_a_finish_reason_is_complete_without_its_end_mark(string provider, int missing)
    {
        foreach (var ending in (ModelEnding[])[ModelEnding.Cut, ModelEnding.Reset])
        {
            var (sent, seen, text) = (0, 0, "");
            var received = new TaskCompletionSource(); // A reset connection loses what it has not delivered.
            await using var server = await ModelServer.StartAsync(call =>
            {
                var whole = new ModelReply
                {
                    Text = "Hello!",
                    Ending = ending,
                    Between = piece => piece < sent - 1 ? Task.CompletedTask : received.Task,
                };
                sent = call.Wire.Stream(call, whole).Count() - missing;
                return whole with { EndsAfter = sent };
            });

            await foreach (
                var update in Client(server, provider)
                    .GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "Hi")], Options(), TestContext.Current.CancellationToken)
            )
            {
                text += update.Text;
                if (++seen == sent)
                {
                    received.SetResult();
                }
            }

            Assert.Equal("Hello!", text);
        }
    }

    [Theory]
    // No role, no end mark, and an unknown finish reason.
    [InlineData("""{"choices":[{"delta":{"content":"Hi"}}]}|{"choices":[{"delta":{},"finish_reason":"eos"}]}""", "Hi", "")]
    [InlineData(
        """: waiting|{"choices":[]}|{"choices":[{"index":0,"delta":{"role":null,"content":null,"tool_calls":null}}]"""
            + ""","usage":null}|{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}|[DONE]""",
        "Hi",
        ""
    )]
    [InlineData(
        """{"choices":[{"delta":{"tool_calls":[{"function":{"name":"lookup","arguments":"{\"word\":1}"}}]}}]}|"""
            + """{"choices":[{"delta":{"tool_calls":[{"function":{"name":"lookup","arguments":{"word":2}}}]}"""
            + ""","finish_reason":"stop"}]}""",
        "",
        "lookup 1,lookup 2"
    )] // complete calls without id and index
    [InlineData(
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":"{}"}}"""
            + """,{"index":0,"id":"b","function":{"name":"other","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}""",
        "",
        "lookup ,other "
    )] // all at index 0
    [InlineData(
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":"{\"wo"}}]}}]}|"""
            + """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"","function":{"name":"","arguments":"rd\":3}"}}]}}]}|"""
            + """{"choices":[{"delta":{},"finish_reason":"stop"}]}""",
        "",
        "lookup 3"
    )] // empty id and name later
    [InlineData(
        """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"lookup","arguments":""}}]}}]}|"""
            + """{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":"""
            + """{"name":"lookup","arguments":"{\"word\":4}"}}]}}]}|{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}""",
        "",
        "lookup 4"
    )] // id and name in each piece
    public async Task Servers_that_are_only_nearly_compatible_are_understood(string chunks, string text, string calls)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(chunks.Split('|')));

        var answer = await AskAsync(Client(server, Compatible), "Hi", Options(Lookup));

        Assert.Equal(text, answer.Text);
        Assert.Equal(
            calls,
            string.Join(',', answer.Calls.Select(call => $"{call.Name} {(call.Arguments!.TryGetValue("word", out var word) ? word : "")}"))
        );
        Assert.Equal(calls.Length > 0 ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop, answer.FinishReason);
        Assert.Equal(answer.Calls.Count, answer.Calls.Select(call => call.CallId).Where(id => id.Length > 0).Distinct().Count());
    }

    [Fact]
    public async Task A_call_id_that_the_conversation_already_contains_is_replaced()
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Asks(new ModelToolCall("call_0", "lookup", "{}")));
        var messages = new List<ChatMessage>
        {
            new(ChatRole.User, "Hi"),
            new(ChatRole.Assistant, [new FunctionCallContent("call_0", "lookup", new Dictionary<string, object?>())]),
            new(ChatRole.Tool, [new FunctionResultContent("call_0", "nothing")]),
        };

        Assert.NotEqual("call_0", (await AskAsync(Client(server, Compatible), messages, Options(Lookup))).Calls.Single().CallId);
    }

    [Theory]
    [InlineData(Compatible)]
    [InlineData(Claude)]
    public async Task An_answer_of_a_server_without_streaming_is_understood(string provider)
    {
        await using var server = await ModelServer.StartAsync(call => new ModelReply
        {
            Pieces = [call.Wire.Whole(call, ModelReply.Says("All at once."))],
            ContentType = "application/json; charset=utf-8",
        });

        var answer = await AskAsync(Client(server, provider));

        Assert.Equal(("All at once.", ChatFinishReason.Stop, 10), (answer.Text, answer.FinishReason, answer.Usage!.InputTokenCount));
    }

    [Theory]
    [InlineData(
        Gpt,
        """{"choices":[{"delta":{"refusal":"I will not "}}]}|{"choices":[{"delta":{"refusal":"do that."}}]}|"""
            + """{"choices":[{"delta":{},"finish_reason":"stop"}]}|[DONE]""",
        "I will not do that."
    )]
    [InlineData(
        Gpt,
        """{"choices":[{"delta":{"content":"Well, "}}]}|{"choices":[{"delta":{},"finish_reason":"content_filter"}]}|[DONE]""",
        "Well,"
    )]
    [InlineData(
        Claude,
        """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I cannot help."}}|"""
            + """{"type":"message_delta","delta":{"stop_reason":"refusal"}}""",
        "I cannot help."
    )]
    public async Task A_refusal_is_a_fault_with_the_text_of_the_model(string provider, string events, string words)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(events.Split('|')));

        var fault = await FaultAsync(server, provider);

        Assert.Equal((FaultCodes.ModelRefused, false), (fault.Code, fault.IsTransient));
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hundreds_of_answers_stream_at_once()
    {
        var all = new TaskCompletionSource();
        var begun = 0;
        await using var server = await ModelServer.StartAsync(_ => new ModelReply
        {
            Text = "Hello!",
            Between = piece =>
                piece > 0 || Interlocked.Increment(ref begun) < 200
                    ? (piece == 0 ? all.Task : Task.CompletedTask)
                    : Task.Run(all.TrySetResult),
        });
        var client = Client(server, Gpt);

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => AskAsync(client))).WaitAsync(AgentExecutorProgram.Limit);

        Assert.All(answers, answer => Assert.Equal("Hello!", answer.Text)); // No answer ends before all have begun.
    }
}
