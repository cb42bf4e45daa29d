using AgentExecutor.Core;
using AgentExecutor.IntegrationTests.Servers;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>Errors in all forms get the right code and transience, and the message of the server without keys.</summary>
public sealed class ErrorShapeTests
{
    [Theory]
    [InlineData("""{"message":"Out of memory."}""")]
    [InlineData("""{"detail":"Out of memory."}""")]
    [InlineData("""{"detail":[{"loc":["body"],"msg":"Out of memory."}]}""")]
    [InlineData("""{"errors":[{"message":"Out of memory."}]}""")]
    [InlineData("""{"errors":["Out of memory."]}""")]
    [InlineData("""{"msg":"Out of memory.","code":50001}""")]
    [InlineData("""{"object":"error","message":"Out of memory.","type":"InternalServerError","code":null}""")]
    [InlineData("""{"error":"Out of memory."}""")]
    [InlineData("""{"error":{"message":"Out of memory.","code":"odd"}}""")]
    [InlineData("""{"error":{"detail":"Out of memory."}}""")]
    [InlineData("""{"error_msg":"Out of memory.","error_code":17}""")]
    [InlineData("""[{"error":{"message":"Out of memory.","status":"INTERNAL"}}]""")]
    public async Task The_message_is_found_in_a_refusal_and_in_an_answer(string error)
    {
        foreach (var provider in (string[])[Compatible, Claude])
        {
            await using var refuses = await ModelServer.StartAsync(ModelReply.Refuses(500, error));
            await using var answers = await ModelServer.StartAsync(
                new ModelReply { Pieces = [error], ContentType = "application/json; x=1" }
            );
            await using var streams = await ModelServer.StartAsync(ModelReply.Raw(": here", error));
            foreach (var server in (ModelServer[])[refuses, answers, streams])
            {
                var fault = await FaultAsync(server, provider);

                Assert.Equal((FaultCodes.ModelUnavailable, true), (fault.Code, fault.IsTransient));
                Assert.Contains("Out of memory.", fault.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("""{"object":"error","message":"Slow down.","type":"RateLimitError","code":429}""", FaultCodes.ModelRateLimited, true)]
    [InlineData("""{"detail":"Rate limit exceeded. Slow down."}""", FaultCodes.ModelRateLimited, true)]
    [InlineData("""{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Slow down."}}""", FaultCodes.ModelRateLimited, true)]
    [InlineData("""{"error":{"status":"UNAUTHENTICATED","message":"No such key."}}""", FaultCodes.ModelAuthentication, false)]
    [InlineData(
        """{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}""",
        FaultCodes.ModelNotFound,
        false
    )]
    [InlineData("""{"message":"This is wrong.","code":"400"}""", FaultCodes.ModelInvalidRequest, false)]
    [InlineData(
        """{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}""",
        FaultCodes.ModelContextOverflow,
        false
    )]
    [InlineData(
        """{"choices":[{"index":0,"error":{"code":502,"message":"The provider fell over."},"finish_reason":"error"}]}""",
        FaultCodes.ModelUnavailable,
        true
    )]
    [InlineData("""{"error":{"message":"half \ud83d of it"}}""", FaultCodes.ModelUnavailable, true)]
    public async Task An_error_with_a_success_status_gets_its_code(string error, string code, bool isTransient)
    {
        await using var server = await ModelServer.StartAsync(ModelReply.Raw(error));

        var fault = await FaultAsync(server, Compatible);

        Assert.Equal((code, isTransient), (fault.Code, fault.IsTransient));
    }

    [Theory]
    [InlineData("""{"detail":"You sent KEY\u0000."}""")]
    [InlineData("""{"msg":["bad","KEY"]}""")]
    [InlineData("The key KEY is wrong")]
    public async Task Keys_and_NULs_are_removed_from_messages(string body)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Refuses(400, body.Replace("KEY", ModelServer.Key, StringComparison.Ordinal))
        );

        var fault = await FaultAsync(server, Compatible);

        Assert.DoesNotContain(ModelServer.Key, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("\0", fault.Message, StringComparison.Ordinal);
        Assert.Contains("***", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"choices":[],"usage":{"prompt_tokens":1},"message":"success"}""")]
    [InlineData("""{"code":0,"msg":"success","choices":[{"delta":{}}]}""")]
    [InlineData("""{"error":null,"choices":[]}""")]
    [InlineData("""{"error":{},"choices":[]}""")]
    [InlineData("""{"error":"","choices":[]}""")]
    public async Task A_chunk_that_is_no_error_is_not_reported_as_one(string chunk)
    {
        await using var server = await ModelServer.StartAsync(
            ModelReply.Raw(chunk, """{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}""")
        );

        Assert.Equal("Hi", (await AskAsync(Client(server, Compatible))).Text);
    }
}
