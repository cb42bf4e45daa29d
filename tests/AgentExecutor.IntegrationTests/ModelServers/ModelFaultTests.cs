using System.Globalization;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>Failures of model servers, and the faults that they become.</summary>
public sealed class ModelFaultTests
{
    [Theory]
    [InlineData(
        Gpt,
        429,
        """{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}""",
        FaultCodes.ModelRateLimited,
        true
    )]
    [InlineData(
        Gpt,
        429,
        """{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}""",
        FaultCodes.ModelRateLimited,
        false
    )]
    [InlineData(
        Gpt,
        429,
        """{"error":{"message":"Request too large for gpt-5 on tokens per min (TPM): Limit 30000,"""
            + """ Requested 40000","type":"tokens","code":"rate_limit_exceeded"}}""",
        FaultCodes.ModelRateLimited,
        false
    )]
    [InlineData(
        Gpt,
        400,
        """{"error":{"message":"This model's maximum context length is 8192"""
            + """ tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}""",
        FaultCodes.ModelContextOverflow,
        false
    )]
    [InlineData(
        Gpt,
        404,
        """{"error":{"message":"The model 'gpt-9' does not exist","type":"invalid_request_error","code":"model_not_found"}}""",
        FaultCodes.ModelNotFound,
        false
    )]
    [InlineData(
        Gpt,
        500,
        """{"error":{"message":"The server had an error","type":"server_error","code":null}}""",
        FaultCodes.ModelUnavailable,
        true
    )]
    [InlineData(Gpt, 400, """{"error":{"message":"The response was filtered","code":"content_filter"}}""", FaultCodes.ModelRefused, false)]
    [InlineData(
        Compatible,
        400,
        """{"error":{"code":400,"message":"the request exceeds the available context size,"""
            + """ try increasing it","type":"exceed_context_size_error"}}""",
        FaultCodes.ModelContextOverflow,
        false
    )]
    [InlineData(
        Compatible,
        400,
        """{"object":"error","message":"This model's maximum context length is 4096 tokens. However,"""
            + """ you requested 5000","type":"BadRequestError","code":400}""",
        FaultCodes.ModelContextOverflow,
        false
    )]
    [InlineData(Compatible, 422, """{"detail":[{"loc":["body"],"msg":"field required"}]}""", FaultCodes.ModelInvalidRequest, false)]
    [InlineData(Compatible, 502, "<html>Bad gateway</html>", FaultCodes.ModelUnavailable, true)]
    [InlineData(Compatible, 408, "", FaultCodes.ModelUnavailable, true)]
    [InlineData(Compatible, 409, "{}", FaultCodes.ModelUnavailable, true)]
    [InlineData(Compatible, 307, "", FaultCodes.ModelInvalidRequest, false)]
    [InlineData(Ollama, 404, """{"error":"model 'nope' not found"}""", FaultCodes.ModelNotFound, false)]
    [InlineData(
        Claude,
        529,
        """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""",
        FaultCodes.ModelUnavailable,
        true
    )]
    [InlineData(
        Claude,
        429,
        """{"type":"error","error":{"type":"rate_limit_error","message":"This would exceed your rate limit"}}""",
        FaultCodes.ModelRateLimited,
        true
    )]
    [InlineData(
        Claude,
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}""",
        FaultCodes.ModelRateLimited,
        false
    )]
    [InlineData(
        Claude,
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}""",
        FaultCodes.ModelContextOverflow,
        false
    )]
    [InlineData(
        Claude,
        403,
        """{"type":"error","error":{"type":"permission_error","message":"Your key may not use this"}}""",
        FaultCodes.ModelAuthentication,
        false
    )]
    [InlineData(
        Claude,
        413,
        """{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}""",
        FaultCodes.ModelInvalidRequest,
        false
    )]
    [InlineData(Claude, 504, """{"type":"error","error":{"type":"timeout_error","message":"Timed out"}}""", FaultCodes.ModelTimeout, true)]
    public async Task A_refusal_becomes_a_fault_of_its_kind_with_the_servers_words(
        string provider,
        int status,
        string body,
        string code,
        bool isTransient
    )
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Refuses(status, body));

        var fault = await FaultAsync(server, provider);

        Assert.Equal((code, isTransient, (TimeSpan?)null), (fault.Code, fault.IsTransient, fault.RetryAfter));
        Assert.Contains(Words(body), fault.Message, StringComparison.Ordinal);
        Assert.Single(server.Calls); // The client does not retry.
    }

    [Theory]
    [InlineData("retry-after=7", 7.0)]
    [InlineData("retry-after=1.5", 1.5)]
    [InlineData("retry-after=1,retry-after-ms=250", 0.25)]
    [InlineData("x-ratelimit-remaining-requests=0,x-ratelimit-reset-requests=6m0.5s,x-ratelimit-reset-tokens=20ms", 360.5)]
    [InlineData("x-ratelimit-remaining-requests=9,x-ratelimit-reset-requests=1s,x-ratelimit-reset-tokens=20ms", 0.02)]
    [InlineData("x-ratelimit-reset-requests=soon", null)]
    public async Task The_wait_that_a_server_asks_for_is_part_of_the_fault(string headers, double? seconds)
    {
        var pairs = headers.Split(',').Select(it => it.Split('=')).Select(it => (it[0], it[1])).ToList();
        await using var server = await ModelServer.StartAsync(ModelReply.Refuses(429, "{}", pairs));

        foreach (var provider in (string[])[Gpt, Claude])
        {
            Assert.Equal(seconds, (await FaultAsync(server, provider)).RetryAfter?.TotalSeconds);
        }
    }

    [Fact]
    public async Task The_wait_may_be_given_as_a_date()
    {
        await using var server = await ModelServer.StartAsync(_ =>
            ModelReply.Refuses(503, "{}", ("Retry-After", DateTimeOffset.UtcNow.AddMinutes(10).ToString("R", CultureInfo.InvariantCulture)))
        );

        Assert.InRange((await FaultAsync(server, Claude)).RetryAfter!.Value.TotalMinutes, 5, 10);
    }

    [Theory]
    [InlineData(Gpt, ModelEnding.Cut)]
    [InlineData(Gpt, ModelEnding.Reset)]
    [InlineData(Claude, ModelEnding.Cut)]
    [InlineData(Claude, ModelEnding.Reset)]
    public async Task An_interrupted_answer_is_a_transient_fault(string provider, ModelEnding ending)
    {
        foreach (var pieces in (int[])[0, 1, 4])
        {
            await using var server = await ModelServer.StartAsync(
                new ModelReply
                {
                    Text = "This will not be told to its end.",
                    EndsAfter = pieces,
                    Ending = ending,
                }
            );

            var fault = await FaultAsync(server, provider);

            Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
        }
    }

    [Theory]
    [InlineData(Gpt, """{"choices":[{"delta":{"content":"x"}}]}|{"choi""", FaultCodes.ModelUnavailable, true)]
    [InlineData(Claude, """{"type":"message_start","message":{}}|{"type": oops}""", FaultCodes.ModelUnavailable, true)]
    [InlineData(
        Gpt,
        """{"choices":[{"delta":{"content":"x"}}]}|{"error":{"message":"The server is gone","type":"server_error"}}""",
        FaultCodes.ModelUnavailable,
        true
    )]
    [InlineData(Compatible, """{"error":{"message":"Rate limited upstream","code":429}}""", FaultCodes.ModelRateLimited, true)]
    [InlineData(Compatible, """{"error":"out of memory"}""", FaultCodes.ModelUnavailable, true)]
    [InlineData(
        Claude,
        """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""",
        FaultCodes.ModelUnavailable,
        true
    )]
    [InlineData(
        Claude,
        """{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}""",
        FaultCodes.ModelRateLimited,
        true
    )]
    [InlineData(
        Claude,
        """{"type":"error","error":{"type":"invalid_request_error","message":"No"}}""",
        FaultCodes.ModelInvalidRequest,
        false
    )]
    public async Task Errors_within_a_stream_are_distinguished(string provider, string events, string code, bool isTransient)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(events.Split('|')));

        var fault = await FaultAsync(server, provider);

        Assert.Equal((code, isTransient), (fault.Code, fault.IsTransient));
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task A_stalled_answer_ends_when_the_caller_cancels(string provider)
    {
        await using var server = await ModelServer.StartAsync(
            new ModelReply
            {
                Text = "Hello!",
                EndsAfter = 4,
                Ending = ModelEnding.Stall,
            }
        );
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (
                var update in Client(server, provider)
                    .GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "Hi")], Options(), patience.Token)
            )
            {
                if (update.Text.Length > 0)
                {
                    await patience.CancelAsync();
                }
            }
        });
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task An_unreachable_server_is_a_transient_fault(string provider)
    {
        var server = await ModelServer.StartAsync(ModelReply.Says("x"));
        var client = Client(server, provider);
        await server.DisposeAsync();

        var fault = await Assert.ThrowsAnyAsync<FaultException>(() => AskAsync(client));

        Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
        Assert.Contains("127.0.0.1", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endless_answer_is_aborted()
    {
        var piece = $": {new string('x', 1024 * 1024)}\n\n";
        await using var server = await ModelServer.StartAsync(new ModelReply { Pieces = [.. Enumerable.Repeat(piece, 70)] });

        var fault = await FaultAsync(server, Compatible);

        Assert.Equal((FaultCodes.ModelUnavailable, false), (fault.Code, fault.IsTransient));
        Assert.Contains("longer than", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task A_key_that_a_server_echoes_is_masked(string provider)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Says("never asked"));
        var wrong = SettingsFor(server) with { OpenaiApiKey = new Secret("wr0ng-one"), AnthropicApiKey = new Secret("wr0ng-one") };

        var fault = await Assert.ThrowsAnyAsync<FaultException>(() =>
            AskAsync(Client(wrong, new ModelSpec { Provider = provider, Model = ModelOf(provider) }))
        );

        Assert.Equal((FaultCodes.ModelAuthentication, false), (fault.Code, fault.IsTransient));
        Assert.Contains("***", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng-one", fault.ToString(), StringComparison.Ordinal);
        Assert.Contains($"{provider.ToUpperInvariant()}_API_KEY", fault.Hint!, StringComparison.Ordinal);
        Assert.Empty(server.Calls);
    }

    /// <summary>The message of the body without its JSON.</summary>
    private static string Words(string body)
    {
        var at = body.IndexOf("\"message\":\"", StringComparison.Ordinal);
        return at < 0
            ? body.StartsWith("<html", StringComparison.Ordinal)
                ? body
                : ""
            : body[(at + 11)..body.IndexOf('"', at + 11)];
    }
}
