using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;
using ModelServer = AgentExecutor.IntegrationTests.Servers.ModelServer;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>A demand in a refusal is met at once and in all later requests to the same server and model.</summary>
public sealed class LearnedDemandTests
{
    private static readonly ChatResponseFormat Form = ChatResponseFormat.ForJsonSchema(
        JsonElement.Parse("""{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}"""),
        "answer"
    );

    private static readonly ChatMessage[] Talk =
    [
        new(ChatRole.System, "You are brief."),
        new(ChatRole.User, "Hi"),
        new(ChatRole.Assistant, "Hello."),
        new(ChatRole.User, "One"),
    ];

    [Theory]
    [InlineData(
        422,
        """{"object":"error","type":"invalid_request_error","message":{"detail":[{"type":"extra_forbidden","loc":"""
            + """["body","stream_options"],"msg":"Extra inputs are not permitted"}]}}"""
    )]
    [InlineData(422, """{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}""")]
    [InlineData(400, """{"error":{"message":"Extra inputs are not permitted, field: 'stream_options'","param":null}}""")]
    [InlineData(400, """{"error":{"message":"Unknown parameter","param":"stream_options","code":"unknown_parameter"}}""")]
    [InlineData(400, """{"message":"Validation error at #/stream_options: Extra inputs are not permitted"}""")]
    [InlineData(422, """[{"type":"extra_forbidden","msg":"Extra inputs are not permitted","input":{"include_usage":true}}]""")]
    [InlineData(400, """{"error":"Unrecognized request argument supplied"}""")]
    [InlineData(400, "stream_options is not supported")]
    [InlineData(500, """{"errors":["Additional properties are not allowed ('stream_options' was unexpected)"]}""")]
    [InlineData(200, """{"object":"error","message":"stream_options: unknown field","code":400}""")]
    public Task Stream_options_are_omitted_after_a_refusal(int status, string body) =>
        LearnsAsync(Compatible, call => call.Body.TryGetProperty("stream_options", out _), status, body, Options());

    [Theory]
    [InlineData(Compatible, 400, """{"error":{"message":"Streaming is not supported by this model"}}""")]
    [InlineData(Compatible, 422, """{"detail":[{"loc":["body","stream"],"msg":"Extra inputs are not permitted"}]}""")]
    [InlineData(Compatible, 400, """{"error":{"message":"stream must be set to false"}}""")]
    [InlineData(
        Claude,
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"this gateway does not support streaming"}}"""
    )]
    public Task Streaming_is_omitted_after_a_refusal(string provider, int status, string body) =>
        LearnsAsync(provider, call => call.IsStream, status, body, Options());

    [Theory]
    [InlineData(
        Compatible,
        "max_tokens",
        """{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use"""
            + """ 'max_completion_tokens' instead.","param":"max_tokens"}}"""
    )]
    [InlineData(
        Gpt,
        "max_completion_tokens",
        """{"detail":[{"loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]}"""
    )]
    public Task The_other_name_of_the_limit_is_used_after_a_refusal(string provider, string name, string body)
    {
        var options = Options();
        options.MaxOutputTokens = 500;
        return LearnsAsync(
            provider,
            call => call.Body.TryGetProperty(name, out _),
            400,
            body,
            options,
            call => Assert.Equal(500, Limit(call))
        );
    }

    [Theory]
    [InlineData(
        Compatible,
        "\"strict\"",
        """{"detail":[{"loc":["body","response_format","json_schema","strict"],"msg":"Extra inputs are not permitted"}]}"""
    )]
    [InlineData(Compatible, "json_schema", """{"error":{"message":"'response_format.type' must be 'text' or 'json_object'"}}""")]
    [InlineData(Compatible, "response_format", """{"error":{"message":"Unknown field: response_format"}}""")]
    [InlineData(
        Claude,
        "output_config",
        """{"type":"error","error":{"type":"invalid_request_error","message":"output_config: Extra inputs are not permitted"}}"""
    )]
    [InlineData(
        Claude,
        "cache_control",
        """{"type":"error","error":{"type":"invalid_request_error","message":"system.0.cache_control: Extra inputs are not permitted"}}"""
    )]
    public Task A_response_format_is_omitted_after_a_refusal(string provider, string refused, string body)
    {
        var options = Options(Lookup);
        options.ResponseFormat = Form;
        return LearnsAsync(provider, call => call.Body.GetRawText().Contains(refused, StringComparison.Ordinal), 400, body, options);
    }

    [Theory]
    [InlineData("Conversation roles must alternate user/assistant/user/assistant/...")]
    [InlineData(
        "After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results."
    )]
    [InlineData("Unexpected role 'user' after role 'user'")]
    public Task Roles_alternate_after_a_refusal(string words) =>
        LearnsAsync(
            Compatible,
            call => Roles(call).Contains("user user", StringComparison.Ordinal),
            400,
            $$"""{"object":"error","message":"{{words}}","type":"BadRequestError","code":400}""",
            Options(),
            call => Assert.Equal("system user assistant user", Roles(call))
        );

    [Fact]
    public Task No_user_message_follows_a_tool_result_after_a_refusal() =>
        LearnsAsync(
            Compatible,
            call => Roles(call).Contains("tool user", StringComparison.Ordinal),
            400,
            """{"message":"Unexpected role 'user' after role 'tool'"}""",
            Options(Lookup),
            call => Assert.Equal("user assistant tool assistant user", Roles(call)),
            Called("c1", "And?")
        );

    [Theory]
    [InlineData("System message must be at the beginning.")]
    [InlineData("Unexpected role 'system' after role 'user'")]
    public Task System_messages_become_one_at_the_beginning_after_a_refusal(string words) =>
        LearnsAsync(
            Compatible,
            call => Roles(call).LastIndexOf("system", StringComparison.Ordinal) > 0,
            400,
            $$$"""{"error":{"message":"{{{words}}}"}}""",
            Options(),
            call => Assert.StartsWith("system user assistant user", Roles(call), StringComparison.Ordinal),
            [.. Talk, new(ChatRole.System, "Be kind."), new(ChatRole.User, "Two")]
        );

    [Theory]
    [InlineData("System role not supported")]
    [InlineData("Developer instruction is not enabled for models/gemma-3")]
    [InlineData("Only user and assistant roles are supported!")]
    public Task System_messages_are_omitted_after_a_refusal(string words) =>
        LearnsAsync(
            Compatible,
            call => Roles(call).Contains("system", StringComparison.Ordinal),
            400,
            $$$"""{"error":{"message":"{{{words}}}"}}""",
            Options(),
            call => Assert.Contains("You are brief.", call.Messages[0].GetRawText(), StringComparison.Ordinal)
        );

    [Theory]
    [InlineData("Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant")]
    [InlineData("This model does not support assistant message prefill. The conversation must end with a user message.")]
    public Task The_last_message_is_not_the_assistants_after_a_refusal(string words) =>
        LearnsAsync(
            Compatible,
            call => Roles(call).EndsWith("assistant", StringComparison.Ordinal),
            400,
            $$"""{"message":"{{words}}"}""",
            Options(),
            null,
            [new(ChatRole.User, "Hi"), new(ChatRole.Assistant, "Hello.")]
        );

    [Theory]
    [InlineData("""{"detail":[{"loc":["body","messages",1,"content"],"msg":"Input should be a valid string"}]}""", "null")]
    [InlineData("""{"error":{"message":"Invalid value for 'content': expected a string, got null."}}""", "null")]
    [InlineData("""{"error":{"message":"messages[1].content must not be empty"}}""", "null|\"\"")]
    public Task Empty_content_is_omitted_after_a_refusal(string body, string refused) =>
        LearnsAsync(
            Compatible,
            call => refused.Split('|').Contains(call.Messages[1].GetProperty("content").GetRawText()),
            400,
            body,
            Options(Lookup),
            null,
            Called("c1")
        );

    [Theory]
    [InlineData(
        Compatible,
        400,
        """{"object":"error","message":"Tool call id was ID but must be a-z, A-Z, 0-9,"""
            + """ with a length of 9.","type":"invalid_function_call","code":"3280"}""",
        "^[A-Za-z0-9]{9}$"
    )]
    [InlineData(
        Compatible,
        500,
        """{"error":{"message":"Tool call id was ID but must be a-z, A-Z, 0-9, with a length of 9"}}""",
        "^[A-Za-z0-9]{9}$"
    )]
    [InlineData(
        Compatible,
        400,
        """{"error":{"message":"Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length"""
            + """ 40, but got a string with length 1500 instead.","param":"messages[1].tool_calls[0].id"}}""",
        "^.{1,40}$"
    )]
    [InlineData(
        Claude,
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0.tool_use.id:"""
            + """ String should match pattern '^[a-zA-Z0-9_-]+$'"}}""",
        "^[a-zA-Z0-9_-]+$"
    )]
    public Task Ids_of_tool_calls_are_replaced_after_a_refusal(string provider, int status, string body, string pattern)
    {
        var id = string.Concat(Enumerable.Repeat("long/id+", 190));
        return LearnsAsync(
            provider,
            call => !CallIds(call).All(it => Regex.IsMatch(it, pattern)),
            status,
            body,
            Options(Lookup),
            call => Assert.Equal((2, 1), (CallIds(call).Count(), CallIds(call).Distinct().Count())),
            Called(id, provider: provider)
        );
    }

    [Theory]
    [InlineData(Compatible)]
    [InlineData(Claude)]
    public async Task Ids_are_sent_unchanged_to_their_own_server_and_in_a_plain_form_to_others(string provider)
    {
        var id = string.Concat(Enumerable.Repeat("a-Z_9", 300));
        await using var server = await ModelServer.StartAsync(ModelReply.Says("ok"));
        var client = Client(server, provider == Compatible ? Ollama : provider);

        await AskAsync(client, Called(id, provider: provider == Compatible ? Ollama : provider), Options(Lookup));
        await AskAsync(client, Called(id, provider: "another"), Options(Lookup));
        await AskAsync(client, [.. Called("twice"), .. Called("twice"), new ChatMessage(ChatRole.User, "Well?")], Options(Lookup));

        var sent = server.Calls.Concat(server.Refused).Select(call => CallIds(call).ToList()).ToList();
        Assert.Contains(sent, ids => ids.All(it => it == id));
        Assert.Contains(sent, ids => ids.Count == 2 && ids.Distinct().Count() == 1 && Regex.IsMatch(ids[0], "^[A-Za-z0-9]{9}$"));
        Assert.Contains(sent, ids => ids.Count == 4 && ids.Distinct().Count() == 2);
    }

    [Fact]
    public async Task Generated_ids_are_valid_for_every_server()
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Raw(
                """{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"lookup","arguments":"{}"}}"""
                    + """,{"index":1,"id":"","function":{"name":"lookup","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"""
            )
        );

        Assert.All(
            (await AskAsync(Client(server, Compatible), "Hi", Options(Lookup))).Calls,
            call => Assert.Matches("^[A-Za-z0-9]{9}$", call.CallId)
        );
    }

    [Fact]
    public async Task Several_demands_are_met_in_turn_and_endless_demands_are_a_fault()
    {
        await using var picky = await ModelServer.StartAsync(call =>
            call.Body.TryGetProperty("stream_options", out _) ? ModelReply.Refuses(400, "Unknown field stream_options")
            : call.IsStream ? ModelReply.Refuses(400, "Streaming is not supported")
            : Roles(call).StartsWith("system", StringComparison.Ordinal)
                ? ModelReply.Refuses(400, """{"msg":"System role not supported"}""")
            : ModelReply.Says("ok")
        );
        await using var never = await ModelServer.StartAsync(
            ModelReply.Refuses(400, "Streaming is not supported, nor stream_options, a system message, or roles that do not alternate")
        );

        Assert.Equal(
            "ok",
            (await AskAsync(Client(picky, Compatible), [new(ChatRole.System, "You are brief."), new(ChatRole.User, "Hi")])).Text
        );
        Assert.Equal(4, picky.Calls.Count);
        Assert.Equal(FaultCodes.ModelInvalidRequest, (await FaultAsync(never, Compatible)).Code);
        Assert.InRange(never.Calls.Count, 1, 8);
    }

    private static async Task LearnsAsync(
        string provider,
        Predicate<ModelCall> isRefused,
        int status,
        string body,
        ChatOptions options,
        Action<ModelCall>? check = null,
        IReadOnlyList<ChatMessage>? messages = null
    )
    {
        await using var server = await ModelServer.StartAsync(call =>
            isRefused(call) ? ModelReply.Refuses(status, body) : ModelReply.Says("""{"a": 1}""")
        );
        var models = new ModelCatalog(AdapterCatalog.ModelProviders(SettingsFor(server), TimeProvider.System));
        var spec = new ModelSpec { Provider = provider, Model = provider == Gpt ? "gpt-4o" : ModelOf(provider) };
        messages ??= [.. Talk, new(ChatRole.User, "Two")];

        Assert.Equal("""{"a": 1}""", (await AskAsync(models.CreateClient(spec), messages, options)).Text);
        var refused = Refused();
        Assert.Equal("""{"a": 1}""", (await AskAsync(models.CreateClient(spec), messages, options)).Text);
        await AskAsync(models.CreateClient(spec with { Model = "another" }), messages, options);

        Assert.InRange(refused, 1, 3);
        Assert.Equal(refused * 2, Refused()); // The other model needs the same refusals.
        check?.Invoke(server.Calls[^1]);

        int Refused() => server.Refused.Count + server.Calls.Count(call => isRefused(call));
    }

    private static List<ChatMessage> Called(string id, string? more = null, string provider = Compatible) =>
        [
            new(ChatRole.User, "Hi"),
            new ChatMessage(ChatRole.Assistant, [new FunctionCallContent(id, "lookup", new Dictionary<string, object?>())]).AnsweredBy(
                provider
            ),
            new(ChatRole.Tool, [new FunctionResultContent(id, "nothing")]),
            .. more is null ? (IEnumerable<ChatMessage>)[] : [new ChatMessage(ChatRole.User, more)],
        ];

    private static string Roles(ModelCall call) => string.Join(' ', call.Messages.Select(it => it.GetProperty("role").GetString()));

    private static IEnumerable<string> CallIds(ModelCall call) =>
        Regex
            .Matches(
                JsonSerializer.Serialize(call.Messages),
                """"(?:tool_call_id|tool_use_id)":"([^"]*)"|\{"(?:type":"tool_use","id|id)":"([^"]*)""""
            )
            .Select(match => Regex.Unescape(match.Groups[1].Value + match.Groups[2].Value));

    private static int Limit(ModelCall call) =>
        (call.Body.TryGetProperty("max_tokens", out var limit) ? limit : call.Body.GetProperty("max_completion_tokens")).GetInt32();
}
