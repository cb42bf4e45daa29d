using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Recording;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;
using AgentExecutor.Tests.ModelCalls;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.Recording;

public sealed class RecordReplayTests : IDisposable
{
    private readonly TestRecording _recording = new("sk-secret-key-1", "redis://app:pass-word-2@cache:6379");

    [Fact]
    public async Task An_answer_is_replayed_as_it_was_streamed()
    {
        var spec = TestRecording.Spec(
            """
            [{"text": "one two three", "reasoning": "hm", "chunk_size": 4,
             "usage": {"input_tokens": 7, "output_tokens": 5, "input_token_details": {"cache_read": 3}},
              "tool_calls": [{"id": "c", "name": "ls", "args": {"path": "/", "n": 1.50}}, {"id": "d", "name": "ls", "args": "no object"}]}]
            """
        );

        var (recorded, _) = await TestRecording.AskAsync(_recording.Recorder.Intercept(TestRecording.Scripted).CreateClient(spec));
        var (replayed, fault) = await TestRecording.AskAsync(
            (await _recording.ReplayAsync()).Intercept(TestRecording.Scripted).CreateClient(spec with { Script = default })
        );

        Assert.Null(fault);
        Assert.Equal(Describe(recorded), Describe(replayed));
        Assert.Equal(8, replayed.Count);
        Assert.Contains("""ls {"path":"/","n":1.50}""", Describe(replayed), StringComparison.Ordinal);
        Assert.Contains("malformed \"no object\"", Describe(replayed), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Thinking_blocks_stay_separate_when_chunks_are_merged_and_keep_alives_are_omitted()
    {
        var provider = new TestProvider(
            "test",
            (
                "m",
                [
                    TestAnswer.Of(
                        new ChatResponseUpdate(ChatRole.Assistant, [new TextReasoningContent("the key is sk-sec")]),
                        KeepAlive.Update,
                        new ChatResponseUpdate(ChatRole.Assistant, [new TextReasoningContent("ret-key-1")]),
                        new ChatResponseUpdate(ChatRole.Assistant, [new TextReasoningContent("") { ProtectedData = "block1" }]),
                        new ChatResponseUpdate(ChatRole.Assistant, [new TextReasoningContent("more") { ProtectedData = "block2" }]),
                        new ChatResponseUpdate(ChatRole.Assistant, "done") { FinishReason = ChatFinishReason.Stop }
                    ),
                ]
            )
        );
        var spec = new ModelSpec { Provider = "test", Model = "m" };

        await TestRecording.AskAsync(_recording.Recorder.Intercept(provider).CreateClient(spec));
        var (replayed, _) = await TestRecording.AskAsync((await _recording.ReplayAsync()).Intercept(provider).CreateClient(spec));

        Assert.Equal("thought the key is ***block1 thought moreblock2 text done stop", Describe(replayed).Trim());
    }

    [Fact]
    public async Task A_replayed_agent_has_the_same_result_without_model_and_tool()
    {
        const string Script = """[{"tool_calls": [{"id": "c", "name": "desk", "args": {"to": "USD"}}]}, {"text": "it is {{result:c}}"}]""";
        var calls = 0;
        var source = new TestToolSource(_ => $"rate {++calls}");
        var live = await RunAsync(Script, _recording.Recorder, source);

        var replayed = await RunAsync("""[{"text": "not asked"}]""", await _recording.ReplayAsync(), source);

        Assert.Equal(("it is rate 1", "it is rate 1", 1), (live, replayed, calls));
        Assert.Equal(["model", "tool", "model"], (await _recording.ReadAsync()).All.Select(it => it.Kind));
    }

    [Fact]
    public async Task A_failed_attempt_is_replayed_with_its_output_and_without_a_delay()
    {
        var spec = TestRecording.Spec(
            """
            [{"text": "abcdef", "chunk_size": 2, "error": {"class": "rate_limit", "message": "slow down", "attempts": 1,
             "after_chunks": 2, "retry_after_seconds": 3600}}]
            """
        );
        var live = _recording.Recorder.Intercept(TestRecording.Scripted).CreateClient(spec);
        await TestRecording.AskAsync(live, attempt: 1);
        await TestRecording.AskAsync(live, attempt: 2);
        Assert.Contains("\"retry_after_seconds\":3600", _recording.Text, StringComparison.Ordinal);

        var replay = (await _recording.ReplayAsync()).Intercept(TestRecording.Scripted).CreateClient(spec);
        var (partial, failure) = await TestRecording.AskAsync(replay);
        var (whole, none) = await TestRecording.AskAsync(replay);

        var fault = Assert.IsType<FaultException>(failure);
        Assert.Equal(
            (FaultCodes.ModelRateLimited, "slow down", true, TimeSpan.Zero),
            (fault.Code, fault.Message, fault.IsTransient, fault.RetryAfter)
        );
        Assert.Equal(("abcd", "abcdef", null), (TestRecording.TextOf(partial), TestRecording.TextOf(whole), none));
    }

    [Fact]
    public async Task A_repeated_request_receives_its_answers_in_order_and_then_the_last_one_again()
    {
        var answers = new Queue<string>(["first", "second"]);
        var tool = _recording.Recorder.Intercept(new TestToolSource(_ => answers.Dequeue())).Create(TestToolSource.Definition);
        await CallAsync(tool);
        await CallAsync(tool);

        var index = new ReplayIndex((await _recording.ReadAsync()).All);
        var replay = new Replayer(index, new Redaction([]), "test.jsonl")
            .Intercept(new TestToolSource(_ => "not called"))
            .Create(TestToolSource.Definition);
        var replayed = new[] { await CallAsync(replay), await CallAsync(replay), await CallAsync(replay) };

        Assert.Equal(["first", "second", "second"], replayed);
        Assert.Equal((2, 2), (index.Used, index.Count));
    }

    [Fact]
    public async Task Concurrent_calls_are_each_recorded_completely()
    {
        var tool = _recording
            .Recorder.Intercept(new TestToolSource(arguments => new string('x', 5_000) + arguments.GetProperty("n").GetInt32()))
            .Create(TestToolSource.Definition);
        await Parallel.ForAsync(0, 200, TestContext.Current.CancellationToken, async (n, _) => await CallAsync(tool, $$"""{"n": {{n}}}"""));

        var replay = (await _recording.ReplayAsync()).Intercept(new TestToolSource(_ => "not called")).Create(TestToolSource.Definition);
        await Parallel.ForAsync(
            0,
            200,
            TestContext.Current.CancellationToken,
            async (n, _) => Assert.EndsWith($"x{n}", await CallAsync(replay, $$"""{"n": {{n}}}"""), StringComparison.Ordinal)
        );

        Assert.Equal(200, (await _recording.ReadAsync()).All.Count);
    }

    [Fact]
    public async Task Arguments_with_the_maximum_depth_are_recorded()
    {
        var deep = $$"""{"a": {{new string('[', 63)}}{{new string(']', 63)}}}""";
        await CallAsync(_recording.Recorder.Intercept(new TestToolSource(_ => "deep")).Create(TestToolSource.Definition), deep);

        var replay = (await _recording.ReplayAsync()).Intercept(new TestToolSource(_ => "not called")).Create(TestToolSource.Definition);

        Assert.Equal("deep", await CallAsync(replay, deep));
    }

    [Fact]
    public async Task The_failure_of_a_tool_is_replayed()
    {
        var tool = _recording
            .Recorder.Intercept(new TestToolSource(_ => throw new TimeoutException("no answer")))
            .Create(TestToolSource.Definition);
        await Assert.ThrowsAsync<TimeoutException>(() => CallAsync(tool));

        var replay = (await _recording.ReplayAsync()).Intercept(new TestToolSource(_ => "not called")).Create(TestToolSource.Definition);

        Assert.Equal("no answer", (await Assert.ThrowsAsync<HttpRequestException>(() => CallAsync(replay))).Message);
    }

    [Fact]
    public async Task A_cancelled_call_is_not_recorded()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var client = _recording
            .Recorder.Intercept(TestRecording.Scripted)
            .CreateClient(
                TestRecording.Spec(
                    """
                    [{"text": "slow", "delay_ms": 60000}]
                    """
                )
            );

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await client
                .GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "x")], null, cancelled.Token)
                .ToListAsync(TestContext.Current.CancellationToken)
        );

        Assert.Empty((await _recording.ReadAsync()).All);
    }

    [Fact]
    public async Task A_request_that_was_not_recorded_is_a_fault_that_shows_the_difference()
    {
        var spec = TestRecording.Spec("""[{"when": {}, "text": "hello"}]""");
        var live = _recording.Recorder.Intercept(TestRecording.Scripted).CreateClient(spec);
        await TestRecording.AskAsync(live, "something quite different, and longer");
        await TestRecording.AskAsync(live, "what is a euro worth?");
        var replay = (await _recording.ReplayAsync()).Intercept(TestRecording.Scripted).CreateClient(spec with { Model = "other" });

        var (_, failure) = await TestRecording.AskAsync(replay, "what is a yen worth?");

        var fault = Assert.IsType<FaultException>(failure);
        Assert.Equal((FaultCodes.ReplayMismatch, false, null), (fault.Code, fault.IsTransient, fault.RetryAfter));
        Assert.Contains(
            "the agent 'a' to the model scripted:other is not in the recording 'test.jsonl'",
            fault.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("$.model: recorded \"test\", now \"other\"", fault.Message, StringComparison.Ordinal);
        Assert.Contains("--record", fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mismatch_fails_the_run_and_is_neither_retried_nor_returned_to_the_model()
    {
        var source = new TestToolSource(_ => "rate");
        await RunAsync("""[{"tool_calls": [{"id": "c", "name": "ls", "args": {}}]}, {"text": "done"}]""", _recording.Recorder, source);
        var replayer = await _recording.ReplayAsync();

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            RunAsync("""[{"text": "not asked"}]""", replayer, source, "another question")
        );

        Assert.Equal(FaultCodes.ReplayMismatch, fault.Code);
        Assert.Contains("recorded \"go\", now \"another question\"", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Additional_counts_of_a_provider_are_replayed()
    {
        using var provider = new CountingProvider();
        await TestRecording.AskAsync(_recording.Recorder.Intercept(provider).CreateClient(CountingProvider.Spec));

        var (updates, _) = await TestRecording.AskAsync(
            (await _recording.ReplayAsync()).Intercept(provider).CreateClient(CountingProvider.Spec)
        );

        var usage = Assert.IsType<UsageContent>(Assert.Single(Assert.Single(updates).Contents)).Details;
        Assert.Equal((9, 40), (usage.InputTokenCount, usage.AdditionalCounts!["cache_write"]));
    }

    [Fact]
    public async Task A_replay_requires_no_key_and_keeps_the_name_of_the_provider()
    {
        var replayed = (await _recording.ReplayAsync()).Intercept(new KeylessProvider());

        Assert.Equal("keyless", replayed.Name);
        Assert.Empty(replayed.Check(new ModelSpec { Provider = "keyless", Model = "m" }));
        Assert.Single(_recording.Recorder.Intercept(new KeylessProvider()).Check(new ModelSpec { Provider = "keyless", Model = "m" }));
    }

    [Fact]
    public async Task An_intercepted_tool_has_the_declaration_of_the_original()
    {
        var source = new TestToolSource(_ => "");
        var tool = (await _recording.ReplayAsync()).Intercept(source).Create(TestToolSource.Definition);

        Assert.Equal(("desk", "Outside.", ToolEffects.Once), (tool.Name, tool.Description, tool.Effects));
    }

    [Fact]
    public async Task Secrets_are_never_written()
    {
        var spec = TestRecording.Spec(
            """
            [{"text": "the key is sk-secret-key-1, the header header-key-22.", "chunk_size": 5,
             "tool_calls": [{"name": "ls", "args": {"sk-secret-key-1": ["pass-word-2"]}}]}]
            """
        );
        var tool = _recording
            .Recorder.Intercept(new TestToolSource(_ => "Authorization: Bearer header-key-22, redis://app:pass-word-2@cache:6379"))
            .Create(TestToolSource.Definition);

        await CallAsync(tool, """{"key": "sk-secret-key-1", "url": "https://bob:other@x.example/"}""");
        await TestRecording.AskAsync(_recording.Recorder.Intercept(TestRecording.Scripted).CreateClient(spec), "my key: sk-secret-key-1");

        var gone = new[] { "sk-secret", "pass-word", "header-key", "Bearer", "bob", "other@" };
        Assert.Empty(gone.Where(secret => _recording.Text.Contains(secret, StringComparison.Ordinal)));
        Assert.Contains("\"url\":\"https://***@desk.example/rates\"", _recording.Text, StringComparison.Ordinal);
        // No chunk contains a part of a secret.
        Assert.Contains("\"text\":\"the key is ***, the header ***.\"", _recording.Text, StringComparison.Ordinal);

        var replayer = await _recording.ReplayAsync();
        var (updates, fault) = await TestRecording.AskAsync(replayer.Intercept(TestRecording.Scripted).CreateClient(spec), "my key: ***");
        Assert.Null(fault);
        Assert.Equal("the key is ***, the header ***.", TestRecording.TextOf(updates));
        var replay = replayer.Intercept(new TestToolSource(_ => "")).Create(TestToolSource.Definition);
        Assert.StartsWith(
            "Authorization: ***",
            await CallAsync(replay, """{"key": "sk-secret-key-1", "url": "https://bob:other@x.example/"}"""),
            StringComparison.Ordinal
        );
    }

    public void Dispose() => _recording.Dispose();

    private static async Task<string> CallAsync(Tool tool, string arguments = """{"to": "USD"}""") =>
        (await tool.InvokeAsync(JsonElement.Parse(arguments), null!, TestContext.Current.CancellationToken)).Content;

    private static async Task<string> RunAsync(string script, ICallInterceptor interceptor, TestToolSource source, string input = "go")
    {
        var spec = TestAgents.Scripted("lead", script) with { Tools = [interceptor.Intercept(source).Create(TestToolSource.Definition)] };
        var outcome = await new Engine().RunAsync(
            AgentGraph.Build(spec, new ModelCatalog([interceptor.Intercept(TestRecording.Scripted)]), []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", input)))
        );
        return outcome.State.Get<MessageLog>(AgentState.Messages)!.Last!.Text;
    }

    private static string Describe(IEnumerable<ChatResponseUpdate> updates) =>
        string.Join(
            '\n',
            updates.Select(update => string.Join(' ', [.. update.Contents.Select(Describe), update.FinishReason?.Value, update.ModelId]))
        );

    private static string Describe(AIContent content) =>
        content switch
        {
            TextReasoningContent thought => $"thought {thought.Text}{thought.ProtectedData}",
            TextContent text => $"text {text.Text}",
            FunctionCallContent { Exception: not null } call => $"call {call.CallId} malformed {call.RawRepresentation}",
            FunctionCallContent call => $"call {call.CallId} {call.Name} {JsonSerializer.Serialize(call.Arguments)}",
            UsageContent { Details: var usage } =>
                $"usage {usage.InputTokenCount} {usage.OutputTokenCount} {usage.CachedInputTokenCount} {usage.ReasoningTokenCount}",
            _ => content.ToString() ?? "",
        };

    private sealed class CountingProvider : DelegatingChatClient, IModelProvider
    {
        public CountingProvider()
            : base(TestRecording.Scripted.CreateClient(TestRecording.Spec("""[{"text": "x"}]"""))) { }

        public static ModelSpec Spec { get; } = new() { Provider = "counting", Model = "m" };

        public string Name => "counting";

        public IEnumerable<ModelFault> Check(ModelSpec spec) => [];

        public IChatClient CreateClient(ModelSpec spec) => this;

        public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            CancellationToken cancellationToken = default
        ) =>
            new[]
            {
                new ChatResponseUpdate(
                    ChatRole.Assistant,
                    [
                        new UsageContent(
                            new UsageDetails
                            {
                                InputTokenCount = 9,
                                AdditionalCounts = new() { ["cache_write"] = 40 },
                            }
                        ),
                    ]
                ),
            }.ToAsyncEnumerable();
    }

    private sealed class KeylessProvider : IModelProvider
    {
        public string Name => "keyless";

        public IEnumerable<ModelFault> Check(ModelSpec spec) => [new ModelFault("", "there is no key", "set one")];

        public IChatClient CreateClient(ModelSpec spec) => throw new InvalidOperationException("a replay makes no client");
    }
}
