using System.Text.Json;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;
using ModelServer = AgentExecutor.IntegrationTests.Servers.ModelServer;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>Reasoning models: the effort, the tools, and what happens to their thinking.</summary>
public sealed class ReasoningTests
{
    private const string Sol = "gpt-6-sol",
        Haiku = "claude-haiku-5-5",
        DeepSeek = "deepseek-v4-pro";

    [Fact]
    public async Task A_server_that_accepts_tools_only_without_reasoning_gets_requests_without_it_from_then_on()
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var models = new ModelCatalog(AdapterCatalog.ModelProviders(SettingsFor(server), TimeProvider.System));

        var answer = await AskAsync(models.CreateClient(Spec(Gpt, Sol)), "Hi", Options(Lookup));
        await AskAsync(models.CreateClient(Spec(Gpt, Sol)), "Hi", Options(Lookup));
        await AskAsync(models.CreateClient(Spec(Gpt, Sol)));
        await AskAsync(models.CreateClient(Spec(Gpt, "gpt-4o")), "Hi", Options(Lookup));

        Assert.Equal("ok", answer.Text);
        Assert.Null(Effort(Assert.Single(server.Refused)));
        Assert.Equal(["none", "none", null, null], server.Calls.Select(Effort));
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Compatible)]
    public async Task A_request_for_a_whole_answer_is_repeated_too(string provider)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));

        var answer = await Client(SettingsFor(server), Spec(provider, Sol))
            .GetResponseAsync([new ChatMessage(ChatRole.User, "Hi")], Options(Lookup), TestContext.Current.CancellationToken);

        Assert.Equal(("ok", 1, 1), (answer.Text, server.Refused.Count, server.Calls.Count));
    }

    [Theory]
    [InlineData(null, "param")] // the same text about another parameter
    [InlineData("reasoning_effort", "Unsupported value: 'reasoning_effort' does not support 'low' with this model.")]
    public async Task A_refusal_for_another_reason_is_a_fault(string? param, string words)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Refuses(400, OpenAIWire.Error("invalid_request_error", null, words, param))
        );

        var fault = await FaultAsync(server, Gpt, Options(Lookup));

        Assert.Equal(FaultCodes.ModelInvalidRequest, fault.Code);
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
        Assert.Single(server.Calls);
    }

    [Fact]
    public async Task A_server_that_refuses_its_own_demand_gets_no_third_request()
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Refuses(400, OpenAIWire.Error("invalid_request_error", null, "Set reasoning_effort to 'none'.", "reasoning_effort"))
        );
        var client = Client(server, Gpt);

        await Assert.ThrowsAsync<ServerRefusal>(() => AskAsync(client, "Hi", Options(Lookup)));
        await Assert.ThrowsAsync<ServerRefusal>(() => AskAsync(client, "Hi", Options(Lookup)));

        Assert.Equal([null, "none", null, "none"], server.Calls.Select(Effort)); // The demand was not remembered.
    }

    [Theory]
    [InlineData(Gpt, Sol, "reasoning_effort", "high")]
    [InlineData(Claude, Haiku, "output_config", """{"effort":"max"}""")]
    [InlineData(Ollama, "gpt-oss", "reasoning_effort", "low")]
    public async Task An_effort_that_the_definition_names_is_sent(string provider, string model, string field, string sent)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var effort = provider == Claude ? "max" : sent;

        await AskAsync(Client(SettingsFor(server), Spec(provider, model) with { ReasoningEffort = effort }));

        Assert.Equal(
            sent,
            server.Calls.Single().Body.GetProperty(field) is { ValueKind: JsonValueKind.String } text
                ? text.GetString()
                : server.Calls.Single().Body.GetProperty(field).GetRawText()
        );
    }

    [Theory]
    [InlineData(Gpt, Sol, "high", null, true, false, "together with tools")]
    [InlineData(Gpt, "gpt-4o", "low", null, false, false, "remove reasoning_effort from the model")]
    [InlineData(Gpt, Sol, null, 0.2f, false, false, "remove temperature")]
    [InlineData(Claude, Haiku, null, 0.2f, false, false, "remove temperature")]
    [InlineData(Claude, Haiku, null, null, true, true, "remove tool_choice")]
    [InlineData(Claude, "claude-haiku-4-5", "high", null, false, false, "remove reasoning_effort from the model")]
    public async Task An_option_that_a_model_does_not_support_is_reported_with_a_remedy(
        string provider,
        string model,
        string? effort,
        float? temperature,
        bool hasTools,
        bool mustCall,
        string hint
    )
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var client = Client(SettingsFor(server), Spec(provider, model) with { ReasoningEffort = effort, Temperature = temperature });
        var options = hasTools ? Options(Lookup) : Options();
        options.ToolMode = mustCall ? ChatToolMode.RequireAny : null;

        var fault = await Assert.ThrowsAsync<ServerRefusal>(() => AskAsync(client, "Hi", options));

        Assert.Equal((FaultCodes.ModelInvalidRequest, false), (fault.Code, fault.IsTransient));
        Assert.Contains(hint, fault.Hint, StringComparison.Ordinal);
        Assert.Contains(fault.Error.Message, fault.Message, StringComparison.Ordinal);
        Assert.Single(server.Refused);
    }

    [Theory]
    [InlineData("none", true)]
    [InlineData("minimal", true)]
    [InlineData("low", false)]
    [InlineData(null, false)]
    public async Task An_effort_that_no_model_of_a_provider_supports_is_reported_before_the_run(string? effort, bool isFault)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("never asked"));
        var models = new ModelCatalog(AdapterCatalog.ModelProviders(SettingsFor(server), TimeProvider.System));

        Assert.Equal(
            isFault ? ["reasoning_effort"] : [],
            models.Find(Claude)!.Check(Spec(Claude, Haiku) with { ReasoningEffort = effort }).Select(it => it.Path)
        );
        Assert.Empty(models.Find(Gpt)!.Check(Spec(Gpt, Sol) with { ReasoningEffort = effort }));
    }

    [Fact]
    public async Task Thinking_is_sent_back_unchanged_in_its_place()
    {
        await using var server = await ModelServer.StartAsync(Thinks);
        var client = Client(SettingsFor(server), Spec(Claude, Haiku));
        var messages = await ThoughtAsync(client);

        await AskAsync(client, messages, Options(Lookup));
        messages.Add(new ChatMessage(ChatRole.User, "And now?"));
        await AskAsync(client, messages, Options(Lookup));

        Assert.Empty(server.Refused); // The server recognises its blocks and checks what each of them followed.
        Assert.All(
            server.Calls.Skip(1),
            call => Assert.Equal(["thinking", "text", "thinking", "tool_use", "redacted_thinking", "tool_use"], Blocks(call))
        );
        Assert.Equal("Größe \"1\"?", server.Calls[1].Messages[1].GetProperty("content")[0].GetProperty("thinking").GetString());
    }

    [Theory]
    [InlineData("system")]
    [InlineData("tools")]
    [InlineData("message")]
    [InlineData("model")]
    [InlineData("provider")]
    public async Task Thinking_of_another_model_or_a_changed_conversation_is_not_sent_back(string what)
    {
        await using var server = await ModelServer.StartAsync(Thinks);
        var messages = await ThoughtAsync(Client(SettingsFor(server), Spec(Claude, Haiku)));
        if (what is "system" or "message")
        {
            messages[what == "system" ? 0 : 1] = new ChatMessage(messages[what == "system" ? 0 : 1].Role, "Here is a summary.");
        }
        var spec = what == "provider" ? Spec(Gpt, "gpt-4o") : Spec(Claude, what == "model" ? "claude-sonnet-5-5" : Haiku);

        await AskAsync(Client(SettingsFor(server), spec), messages, what == "tools" ? Options() : Options(Lookup));

        Assert.Empty(server.Refused);
        Assert.DoesNotContain("thinking", server.Calls[^1].Body.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("signature", server.Calls[^1].Body.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Thinking_that_the_server_refuses_does_not_end_the_conversation()
    {
        await using var server = await ModelServer.StartAsync(Thinks);
        var client = Client(SettingsFor(server), Spec(Claude, Haiku));
        var messages = await ThoughtAsync(client);
        var first = messages[2].Contents.OfType<TextReasoningContent>().First();
        first.ProtectedData = first.ProtectedData!.Replace("\"signature\":\"", "\"signature\":\"AAAA", StringComparison.Ordinal);

        Assert.Equal("Done.", (await AskAsync(client, messages, Options(Lookup))).Text);

        Assert.Equal(["text", "tool_use", "tool_use"], Blocks(server.Calls[1]));
        Assert.Single(server.Refused);
    }

    [Fact]
    public async Task A_server_that_requires_the_thinking_of_its_model_receives_it()
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var models = new ModelCatalog(AdapterCatalog.ModelProviders(SettingsFor(server), TimeProvider.System));
        List<ChatMessage> messages =
        [
            new(ChatRole.User, "Hi"),
            new(ChatRole.Assistant, [new TextReasoningContent("I look it up."), new FunctionCallContent("c1", "lookup")]),
            new(ChatRole.Tool, [new FunctionResultContent("c1", "nothing")]),
            new(ChatRole.Assistant, [new TextReasoningContent("It is not there."), new TextContent("Not found.")]),
            new(ChatRole.User, "Again"),
        ];

        await AskAsync(models.CreateClient(Spec(Compatible, DeepSeek)), messages, Options(Lookup));
        await AskAsync(models.CreateClient(Spec(Compatible, DeepSeek)), messages, Options(Lookup));
        await AskAsync(models.CreateClient(Spec(Compatible, "another")), messages, Options(Lookup));
        await Assert.ThrowsAsync<ServerRefusal>(() => AskAsync(models.CreateClient(Spec(Gpt, DeepSeek)), messages, Options(Lookup)));

        Assert.Equal(2, server.Refused.Count);
        Assert.Equal(
            [true, true, false],
            server.Calls.Select(call =>
                call.Messages[1].TryGetProperty("reasoning_content", out var thought) && thought.GetString() == "I look it up."
            )
        );
        Assert.DoesNotContain("It is not there.", server.Calls[0].Body.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Gpt, ": PROCESSING")]
    [InlineData(Claude, ": hold on")]
    [InlineData(Claude, """{"type": "ping"}""")]
    public async Task A_heartbeat_of_the_server_is_reported_as_activity(string provider, string sign)
    {
        var answer =
            provider == Claude
                ?
                [
                    """{"type":"message_start","message":{"model":"m"}}""",
                    sign,
                    """{"type":"message_delta","delta":{"stop_reason":"end_turn"}}""",
                ]
                : (string[])
                    ["""{"choices":[{"delta":{"role":"assistant"}}]}""", sign, """{"choices":[{"delta":{},"finish_reason":"stop"}]}"""];
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(answer));

        var updates = await Client(server, provider)
            .GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "Hi")], Options(), TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal([false, true, false], updates.Take(3).Select(KeepAlive.Is));
    }

    private static ModelReply Thinks(ModelCall call) =>
        call.Number > 0
            ? ModelReply.Says("Done.")
            : new ModelReply
            {
                Reasoning = "Größe \"1\"?",
                Text = "I look both up.",
                ThinksOn = true,
                Calls = [new("c1", "lookup", """{"word": "a"}"""), new("c2", "lookup", """{"word": "b"}""")],
            };

    /// <summary>A conversation with an answer that contains thinking, and with the tool results for it.</summary>
    private static async Task<List<ChatMessage>> ThoughtAsync(IChatClient client)
    {
        List<ChatMessage> messages = [new(ChatRole.System, "You are brief."), new(ChatRole.User, "Hi")];
        var answer = await client
            .GetStreamingResponseAsync(messages, Options(Lookup), TestContext.Current.CancellationToken)
            .ToChatResponseAsync(TestContext.Current.CancellationToken);
        messages.AddRange(answer.Messages);
        messages.AddRange(
            ((string[])["c1", "c2"]).Select(id => new ChatMessage(ChatRole.Tool, [new FunctionResultContent(id, $"nothing of {id}")]))
        );
        return messages;
    }

    private static IEnumerable<string?> Blocks(ModelCall call) =>
        call.Messages[1].GetProperty("content").EnumerateArray().Select(it => it.GetProperty("type").GetString());

    private static string? Effort(ModelCall call) =>
        call.Body.TryGetProperty("reasoning_effort", out var effort) ? effort.GetString() : null;

    private static ModelSpec Spec(string provider, string model) => new() { Provider = provider, Model = model };
}
