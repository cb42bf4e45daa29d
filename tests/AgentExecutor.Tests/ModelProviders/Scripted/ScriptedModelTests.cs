using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.ModelProviders.Scripted;

public sealed class ScriptedModelTests
{
    private static readonly ScriptedProvider Provider = new(TimeProvider.System);

    [Fact]
    public async Task Turns_without_a_condition_are_used_in_order_and_depend_only_on_the_conversation()
    {
        using var model = Model("""[{"text": "one"}, {"text": "two"}]""");

        Assert.Equal("one", await AskAsync(model, User("x")));
        Assert.Equal("one", await AskAsync(model, User("x")));
        Assert.Equal("two", await AskAsync(model, User("x"), Assistant("one"), User("y")));
        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(model, User("x"), Assistant("1"), Assistant("2")));
        Assert.Equal(FaultCodes.ScriptExhausted, fault.Code);
    }

    [Theory]
    [InlineData("""{"agent": "a"}""", true)]
    [InlineData("""{"agent": "b"}""", false)]
    [InlineData("""{"turn": 1}""", true)]
    [InlineData("""{"last_tool": "grep"}""", true)]
    [InlineData("""{"last_tool": "ls"}""", false)]
    [InlineData("""{"last_contains": ":37"}""", true)]
    [InlineData("""{"last_matches": "log:\\d+$"}""", true)]
    [InlineData("""{"user_contains": "count"}""", true)]
    [InlineData("""{"user_contains": "count", "turn": 9}""", false)]
    public async Task A_condition_selects_the_turn(string when, bool holds)
    {
        using var model = Model($$"""[{"text": "never"}, {"text": "fallback"}, {"when": {{when}}, "text": "chosen"}]""");

        Assert.Equal(holds ? "chosen" : "fallback", await AskAsync(model, WithResult));
    }

    [Theory]
    [InlineData("{{input}}", "count them")]
    [InlineData("{{user}}", "count them")]
    [InlineData("{{last}}", "/access.log:37")]
    [InlineData("{{tool:grep|:(\\\\d+)}} and {{result:c1|/(\\\\w+)}}", "37 and access")]
    public async Task A_turn_quotes_the_conversation(string text, string expected)
    {
        using var model = Model($$"""[{"when": {}, "text": "{{text}}"}]""");

        Assert.Equal(expected, await AskAsync(model, WithResult));
    }

    [Theory]
    [InlineData("{{result:nobody}}")]
    [InlineData("{{last|no such thing}}")]
    [InlineData("{{weather}}")]
    public async Task A_quote_without_a_match_is_an_error(string text)
    {
        using var model = Model($$"""[{"when": {}, "text": "{{text}}"}]""");

        await Assert.ThrowsAsync<FaultException>(() => AskAsync(model, WithResult));
    }

    [Fact]
    public async Task It_streams_chunks_calls_usage_and_a_finish_reason()
    {
        using var model = Model(
            """
            [{"text": "abcdef", "chunk_size": 4, "tool_calls": [{"name": "f", "args": {"x": "{{input}}"}}],
             "usage": {"input_tokens": 7, "output_tokens": 3}}]
            """
        );

        var updates = await model
            .GetStreamingResponseAsync([User("go")], Options(0), TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(["abcd", "ef"], updates.Where(it => it.Text.Length > 0).Select(it => it.Text));
        var call = Assert.Single(updates.SelectMany(it => it.Contents).OfType<FunctionCallContent>());
        Assert.Equal(("call_a_0_0", "go"), (call.CallId, ((JsonElement)call.Arguments!["x"]!).GetString()));
        Assert.Equal(7, Assert.Single(updates.SelectMany(it => it.Contents).OfType<UsageContent>()).Details.InputTokenCount);
        Assert.Equal(ChatFinishReason.ToolCalls, updates[^1].FinishReason);
    }

    [Theory]
    [InlineData("reset", FaultCodes.ModelUnavailable, true)]
    [InlineData("cut", FaultCodes.ModelUnavailable, true)]
    [InlineData("timeout", FaultCodes.ModelTimeout, true)]
    [InlineData("model_not_found", FaultCodes.ModelNotFound, false)]
    public async Task It_fails_as_configured_for_a_number_of_attempts(string kind, string code, bool isTransient)
    {
        using var model = Model($$"""[{"text": "x", "error": {"class": "{{kind}}", "attempts": 1} }]""");

        var fault = await Assert.ThrowsAsync<FaultException>(() => AskAsync(model, User("go")));

        Assert.Equal((code, isTransient), (fault.Code, fault.IsTransient));
        var again = await model.GetResponseAsync(
            [User("go")],
            new AgentChatOptions { Agent = "a", Attempt = 2 },
            TestContext.Current.CancellationToken
        );
        Assert.Equal("x", again.Text);
    }

    [Fact]
    public async Task It_stalls_until_it_is_cancelled()
    {
        using var model = Model("""[{"text": "abcd", "chunk_size": 2, "error": {"class": "stall", "after_chunks": 1}}]""");
        using var stop = new CancellationTokenSource();
        await using var updates = model.GetStreamingResponseAsync([User("go")], Options(0), stop.Token).GetAsyncEnumerator(stop.Token);
        Assert.True(await updates.MoveNextAsync());
        Assert.Equal("ab", updates.Current.Text);

        var next = updates.MoveNextAsync().AsTask();
        Assert.False(next.IsCompleted);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
    }

    [Fact]
    public async Task It_reports_the_finish_reason_of_the_turn()
    {
        using var model = Model("""[{"text": "abc", "finish_reason": "length"}]""");

        var answer = await model.GetResponseAsync([User("go")], Options(0), TestContext.Current.CancellationToken);

        Assert.Equal(ChatFinishReason.Length, answer.FinishReason);
    }

    [Theory]
    [InlineData("null", "script")]
    [InlineData("[]", "script")]
    [InlineData("[7]", "script[0]")]
    [InlineData("[{}]", "script[0]")]
    [InlineData("""[{"text": "x", "txt": "y"}]""", "script[0].txt")]
    [InlineData("""[{"text": "x", "when": {"moon": "full"}}]""", "script[0].when.moon")]
    [InlineData("""[{"text": "x", "when": 7}]""", "script[0].when")]
    [InlineData("""[{"error": {"class": "boredom"}}]""", "script[0].error.class")]
    [InlineData("""[{"error": {"class": "server", "attempts": "x"}}]""", "script[0].error.attempts")]
    [InlineData("""[{"tool_calls": [{"args": {}}]}]""", "script[0].tool_calls[0]")]
    [InlineData("""[{"tool_calls": [7]}]""", "script[0].tool_calls[0]")]
    [InlineData("""[{"text": null}]""", "script[0].text")]
    public void A_fault_in_a_script_is_reported_with_its_path(string script, string path) =>
        Assert.Contains(path, Provider.Check(Spec(script)).Select(it => it.Path));

    private static ChatMessage[] WithResult =>
        [
            User("count them"),
            new(ChatRole.Assistant, [new FunctionCallContent("c1", "grep")]),
            new(ChatRole.Tool, [new FunctionResultContent("c1", "/access.log:37")]),
        ];

    private static ChatMessage User(string text) => new(ChatRole.User, text);

    private static ChatMessage Assistant(string text) => new(ChatRole.Assistant, text);

    private static ModelSpec Spec(string script) =>
        new()
        {
            Provider = "scripted",
            Model = "m",
            Script = JsonElement.Parse(script),
        };

    private static IChatClient Model(string script) => Provider.CreateClient(Spec(script));

    private static AgentChatOptions Options(int turn) => new() { Agent = "a", Turn = turn };

    private static async Task<string> AskAsync(IChatClient model, params ChatMessage[] messages) =>
        (
            await model.GetResponseAsync(
                messages,
                Options(messages.Count(it => it.Role == ChatRole.Assistant)),
                TestContext.Current.CancellationToken
            )
        ).Text;
}
