using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>The requests to model servers. The test server refuses what the real ones refuse.</summary>
public sealed class ModelRequestTests
{
    private static readonly JsonElement Strict = JsonElement.Parse(
        """{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}"""
    );
    private static readonly JsonElement Loose = JsonElement.Parse(
        """{"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}, "of": {"type": "object", "properties": {}}}}"""
    );

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    [InlineData(Ollama)]
    public async Task A_conversation_with_all_kinds_of_messages_is_accepted(string provider)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        string longId = new('x', 60),
            odd = "call:1.a";
        List<ChatMessage> messages =
        [
            new(ChatRole.System, "You are brief."),
            new(ChatRole.User, "One"),
            new(ChatRole.User, "Two"),
            new(
                ChatRole.Assistant,
                [
                    new TextContent(""),
                    new FunctionCallContent(odd, "lookup", new Dictionary<string, object?> { ["word"] = JsonElement.Parse("\"a\"") }),
                    new FunctionCallContent(longId, "look up!", new Dictionary<string, object?> { ["malformed"] = "{" }),
                ]
            ),
            new(ChatRole.Tool, [new FunctionResultContent(odd, "")]),
            new(ChatRole.Tool, [new FunctionResultContent(longId, "no such tool") { Exception = new InvalidOperationException("x") }]),
            new(ChatRole.System, "Be briefer."),
            new(ChatRole.User, " "),
            new(ChatRole.Assistant, ""),
            new(ChatRole.User, "Three"),
        ];

        Assert.Equal("ok", (await AskAsync(Client(server, provider), messages, Options(Lookup))).Text);

        var body = server.Calls.Single().Body.GetRawText();
        Assert.Equal(provider == Claude, body.Contains("\"is_error\":true", StringComparison.Ordinal));
        Assert.All(
            (string[])["You are brief.", "Be briefer.", "One", "Two", "Three", "no such tool"],
            text => Assert.Contains(text, body, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData(Gpt, "max_completion_tokens")]
    [InlineData(Compatible, "max_tokens")]
    [InlineData(Ollama, "max_tokens")]
    [InlineData(Claude, "max_tokens")]
    public async Task Temperature_and_limit_are_sent_under_the_servers_names(string provider, string limit)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var client = Client(
            SettingsFor(server),
            new ModelSpec
            {
                Provider = provider,
                Model = ModelOf(provider),
                Temperature = 1.3f,
                MaxTokens = 77,
            }
        );

        await AskAsync(client);
        await AskAsync(
            client,
            "Hi",
            new AgentChatOptions
            {
                Agent = "a",
                Temperature = 0.7f,
                MaxOutputTokens = 5,
                ModelId = $"{ModelOf(provider)}-x",
            }
        );
        await AskAsync(Client(server, provider));

        var (spec, options, none) = (server.Calls[0].Body, server.Calls[1].Body, server.Calls[2].Body);
        Assert.Equal(
            (provider == Claude ? "1" : "1.3", 77),
            (spec.GetProperty("temperature").GetRawText(), spec.GetProperty(limit).GetInt32())
        );
        Assert.Equal(
            ("0.7", 5, $"{ModelOf(provider)}-x"),
            (
                options.GetProperty("temperature").GetRawText(),
                options.GetProperty(limit).GetInt32(),
                options.GetProperty("model").GetString()
            )
        );
        Assert.False(none.TryGetProperty("temperature", out _));
        Assert.Equal(provider == Claude, none.TryGetProperty(limit, out _));
        Assert.Equal(
            provider != Claude,
            none.TryGetProperty("stream_options", out var streamed) && streamed.GetProperty("include_usage").GetBoolean()
        );
    }

    [Theory]
    [InlineData(Gpt, null, "\"none\"", "\"required\"", """{"type":"function","function":{"name":"lookup"}}""")]
    [InlineData(Claude, null, """{"type":"none"}""", """{"type":"any"}""", """{"type":"tool","name":"lookup"}""")]
    public async Task The_choice_of_tools_is_sent_in_the_form_of_each_provider(
        string provider,
        string? auto,
        string none,
        string any,
        string one
    )
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var client = Client(server, provider);

        foreach (
            var mode in (ChatToolMode[])
                [ChatToolMode.Auto, ChatToolMode.None, ChatToolMode.RequireAny, ChatToolMode.RequireSpecific("lookup")]
        )
        {
            await AskAsync(
                client,
                "Hi",
                new AgentChatOptions
                {
                    Agent = "a",
                    Tools = [Lookup],
                    ToolMode = mode,
                }
            );
        }

        Assert.Equal(
            [auto, none, any, one],
            server.Calls.Select(call => call.Body.TryGetProperty("tool_choice", out var choice) ? choice.GetRawText() : null)
        );
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task The_schema_of_the_answer_is_sent_in_the_form_of_each_provider(string provider)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("{}"));
        var client = Client(server, provider);

        foreach (
            var format in (ChatResponseFormat[])
                [
                    ChatResponseFormat.ForJsonSchema(Strict, "answer"),
                    ChatResponseFormat.ForJsonSchema(Loose, "my answer"),
                    ChatResponseFormat.Json,
                ]
        )
        {
            await AskAsync(client, "Hi", new AgentChatOptions { Agent = "a", ResponseFormat = format });
        }

        if (provider == Gpt)
        {
            Assert.Equal(
                [true, false],
                server
                    .Calls.Take(2)
                    .Select(call => call.Body.GetProperty("response_format").GetProperty("json_schema").GetProperty("strict").GetBoolean())
            );
            Assert.Equal("json_object", server.Calls[2].Body.GetProperty("response_format").GetProperty("type").GetString());
        }
        else
        {
            Assert.Equal(
                "json_schema",
                server.Calls[1].Body.GetProperty("output_config").GetProperty("format").GetProperty("type").GetString()
            );
            Assert.Contains("JSON", server.Calls[2].System, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Compatible)]
    [InlineData(Claude)]
    public async Task A_tool_is_sent_with_its_description_and_an_object_schema(string provider)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var description = $"Finds {string.Join(", ", Enumerable.Range(0, 150).Select(i => $"word{i}"))}.";
        var tool = AIFunctionFactory.CreateDeclaration("find", provider == Compatible ? "Finds." : description, JsonElement.Parse("{}"));

        await AskAsync(Client(server, provider), "Hi", Options(tool, Lookup));

        Assert.Contains(tool.Description, server.Calls.Single().Body.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_prompt_cache_is_marked_where_the_next_request_finds_it()
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        List<ChatMessage> messages =
        [
            new(ChatRole.System, "You are brief."),
            new(ChatRole.User, "One"),
            new(ChatRole.Assistant, "1"),
            new(ChatRole.User, "Two"),
            new(ChatRole.Assistant, "2"),
            new(ChatRole.User, "Three"),
        ];

        await AskAsync(
            Client(server, Claude),
            messages,
            Options(Lookup, AIFunctionFactory.CreateDeclaration("other", "x", JsonElement.Parse("{}")))
        );

        var body = server.Calls.Single().Body;
        Assert.Equal(
            ["other", "You are brief.", "Two", "Three"],
            [
                .. body.GetProperty("tools").EnumerateArray().Where(IsMarked).Select(it => it.GetProperty("name").GetString()!),
                .. body.GetProperty("system").EnumerateArray().Where(IsMarked).Select(it => it.GetProperty("text").GetString()!),
                .. body.GetProperty("messages")
                    .EnumerateArray()
                    .SelectMany(it => it.GetProperty("content").EnumerateArray())
                    .Where(IsMarked)
                    .Select(it => it.GetProperty("text").GetString()!),
            ]
        );

        static bool IsMarked(JsonElement block) =>
            block.TryGetProperty("cache_control", out var mark) && mark.GetProperty("type").GetString() == "ephemeral";
    }

    [Theory]
    [InlineData(
        """{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw=="}}""",
        "\"url\":\"data:image/png;base64,iVBORw==\"",
        """{"type":"base64","media_type":"image/png","data":"iVBORw=="}"""
    )]
    [InlineData(
        """{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw=="}}""",
        "\"url\":\"data:image/png;base64,iVBORw==\"",
        """{"type":"base64","media_type":"image/png","data":"iVBORw=="}"""
    )]
    [InlineData(
        """{"type":"image","source_type":"base64","mime_type":"image/jpeg","data":"iVBORw=="}""",
        "\"url\":\"data:image/jpeg;base64,iVBORw==\"",
        """{"type":"base64","media_type":"image/jpeg","data":"iVBORw=="}"""
    )]
    [InlineData(
        """{"type":"image_url","image_url":"https://example.com/cat.png"}""",
        "\"url\":\"https://example.com/cat.png\"",
        """{"type":"url","url":"https://example.com/cat.png"}"""
    )]
    [InlineData(
        """{"type":"image","source":{"type":"url","url":"https://example.com/cat.png"}}""",
        "\"url\":\"https://example.com/cat.png\"",
        """{"type":"url","url":"https://example.com/cat.png"}"""
    )]
    [InlineData(
        """{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERg=="}}""",
        "\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;base64,JVBERg==\"",
        """{"type":"base64","media_type":"application/pdf","data":"JVBERg=="}"""
    )]
    [InlineData(
        """{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERg=="}}""",
        "\"file_data\":\"data:application/pdf;base64,JVBERg==\"",
        """{"type":"base64","media_type":"application/pdf","data":"JVBERg=="}"""
    )]
    [InlineData(
        """{"type":"document","title":"notes.txt","source":{"type":"text","media_type":"text/plain","data":"Hello there"}}""",
        "notes.txt:\\nHello there",
        "notes.txt:\\nHello there"
    )]
    [InlineData(
        """{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}""",
        """{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}""",
        null
    )]
    [InlineData(
        """{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}""",
        null,
        """{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}"""
    )]
    public async Task Parts_of_a_message_are_sent_in_the_form_that_the_server_accepts(string part, string? openAI, string? anthropic)
    {
        var content = MessageParts.Read(JsonElement.Parse($$"""[{"type": "text", "text": "What is it?"}, {{part}}]"""));
        foreach (var (provider, expected) in ((string, string?)[])[(Gpt, openAI), (Claude, anthropic)])
        {
            await using var server = await ModelServer.StartAsync(ModelReply.Says("a cat"));
            var asked = AskAsync(Client(server, provider), [new ChatMessage(ChatRole.User, content)]);
            if (expected is not null)
            {
                Assert.Equal("a cat", (await asked).Text);
                Assert.Contains(expected, server.Calls.Single().Body.GetProperty("messages").GetRawText(), StringComparison.Ordinal);
            }
            else
            {
                var fault = await Assert.ThrowsAnyAsync<FaultException>(() => asked);
                Assert.Equal(FaultCodes.ModelInvalidRequest, fault.Code);
                Assert.Contains($"{provider} does not accept", fault.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Compatible)]
    [InlineData(Claude)]
    public async Task Only_servers_that_the_operator_named_are_given_a_key(string provider)
    {
        await using var own = await ModelServer.StartAsync(ModelReply.Says("own"));
        await using var other = await ModelServer.StartAsync(ModelReply.Says("other"), isOpen: true);
        var spec = new ModelSpec
        {
            Provider = provider,
            Model = ModelOf(provider),
            BaseUrl = provider == Claude ? other.Url : other.OpenAIUrl,
        };
        var settings = SettingsFor(own) with { AllowPrivateNetworks = true };
        var port = new Uri(other.Url).Port;

        await AskAsync(Client(settings, spec));
        await AskAsync(Client(settings with { AllowedHosts = $"elsewhere, 127.0.0.1:{port + 1}" }, spec));
        await AskAsync(Client(settings with { AllowPrivateNetworks = false, AllowedHosts = $"elsewhere,127.0.0.1:{port}" }, spec));
        await AskAsync(Client(settings, spec with { BaseUrl = null }));

        Assert.Equal(
            [false, false, true],
            other.Calls.Select(call => call.Headers.Values.Any(value => value.Contains(ModelServer.Key, StringComparison.Ordinal)))
        );
        Assert.DoesNotContain("Authorization", other.Calls[0].Headers.Keys);
        Assert.Single(own.Calls);
    }

    [Fact]
    public void A_private_server_that_the_operator_did_not_name_is_refused_before_a_run() =>
        Assert.Contains(
            "not a public address",
            Assert
                .Throws<FaultException>(() =>
                    Client(
                        new(),
                        new ModelSpec
                        {
                            Provider = Compatible,
                            Model = "m",
                            BaseUrl = "http://127.0.0.1:1/v1",
                        }
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
}
