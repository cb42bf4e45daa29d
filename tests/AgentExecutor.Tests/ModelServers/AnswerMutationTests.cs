using System.Text;
using AgentExecutor.Adapters.Anthropic;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Adapters.OpenAI;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.ModelServers;

/// <summary>
/// Valid answers with a few changed bytes. Each is either accepted or a fault of the model, and everything that is read is well-formed.
/// </summary>
public sealed class AnswerMutationTests
{
    private const int Mutations = 4_000;
    private const string Signs = "{}[]\":,\\\n\r0-.u dnull";

    private static readonly ModelServerSettings Settings = new();
    private static readonly ModelFaults Faults = new(ModelServer.ForOpenAICompatible(Settings), new KeyMask(Settings));

    private static readonly string[] Chats =
    [
        """
            : hello

            data: {"model":"m","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Hm \ud83d"}}]}

            data: {"choices":[{"index":0,"delta":{"content":"Sent \ud83d\udce6 today"}}]}

            data: {"choices":[{"index":0,"delta":{"tool_calls":[
            data: {"index":0,"id":"a","function":{"name":"lookup","arguments":"{\"word\":\"\\ud83d"}}]}}]}

            data: {"choices":[{"index":0,"delta":{"tool_calls":[
            data: {"index":0,"function":{"arguments":"\\udce6\"}"}}]},"finish_reason":"tool_calls"}]}

            data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":3}}}

            data: [DONE]

            """,
        """
            {"object":"chat.completion","choices":[{"message":{"content":[{"type":"text","text":"x"}],
            "tool_calls":[{"id":"a","function":{"name":"f","arguments":{"a":[1,null]}}}]},"finish_reason":"stop"}],
            "usage":{"total_tokens":"7"}}
            """,
    ];

    private static readonly string[] Messages =
    [
        """
            event: message_start
            data: {"type":"message_start","message":{"model":"m","content":[],"usage":{"input_tokens":10,"cache_read_input_tokens":3}}}

            data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

            data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm \ud83d"}}

            data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"abc"}}

            data: {"type":"content_block_stop","index":0}

            data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Sent \ud83d\udce6"}}

            data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"lookup","input":{}}}

            data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"word\":\"\\ud83d\"}"}}

            data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}

            data: {"type":"message_stop"}

            """,
        """
            {"type":"message","content":[{"type":"text","text":"x"},{"type":"tool_use","id":"a","name":"f","input":{"a":1}}],
            "stop_reason":"end_turn","usage":{"input_tokens":1.0}}
            """,
    ];

    [Fact]
    public Task A_mutated_chat_completion_is_accepted_or_is_a_fault_of_the_model() =>
        MutateAsync(Chats, () => new OpenAIAnswer(Faults, new HashSet<string> { "a" }));

    [Fact]
    public Task A_mutated_message_is_accepted_or_is_a_fault_of_the_model() =>
        MutateAsync(
            Messages,
            () =>
                new AnthropicAnswer(
                    Faults,
                    new AnthropicRequest.Written(
                        new Dictionary<string, System.Text.Json.JsonElement>(),
                        new HashSet<string>(),
                        "m",
                        new Lazy<string>("p"),
                        false
                    )
                )
        );

    private static async Task MutateAsync(string[] samples, Func<WireAnswer> reader)
    {
        var read = 0;
        for (var seed = 0; seed < Mutations; seed++)
        {
            var random = new Random(seed);
            var sample = Encoding.UTF8.GetBytes(samples[random.Next(samples.Length)]);
            var bytes = seed < samples.Length ? Encoding.UTF8.GetBytes(samples[seed]) : Mutation.Of(sample, Signs, random);
            try
            {
                await using var answer = await OpenedAnswer.OpenAsync(
                    Stream.Null,
                    new MemoryStream(bytes),
                    reader(),
                    "m",
                    Faults,
                    TimeProvider.System,
                    TestContext.Current.CancellationToken
                );
                Check(await answer.ReadWholeAsync(TestContext.Current.CancellationToken));
                read++;
            }
            catch (FaultException fault)
            {
                Assert.StartsWith("model_", fault.Code, StringComparison.Ordinal);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                Assert.Fail($"seed {seed}: {exception}\n{Encoding.UTF8.GetString(bytes)}");
            }
        }
        Assert.InRange(read, Mutations / 20, Mutations - 1); // both outcomes occur
    }

    private static void Check(ChatResponse response)
    {
        Assert.NotNull(response.FinishReason);
        foreach (var content in response.Messages[0].Contents)
        {
            var texts = content switch
            {
                TextContent text => [text.Text],
                TextReasoningContent thought => [thought.Text],
                FunctionCallContent call => [call.Name, call.CallId, System.Text.Json.JsonSerializer.Serialize(call.Arguments)],
                _ => (string[])[],
            };
            Assert.All(texts, text => Assert.Equal(WellFormedText.Of(text), text));
        }
    }
}
