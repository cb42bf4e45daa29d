using System.Net;

namespace AgentExecutor.Tests.Http;

/// <summary>Which requests of tools are repeated.</summary>
public sealed class HttpToolRetryTests
{
    private const string Sent = "It is unknown whether it took effect";

    [Theory]
    [InlineData("GET", "none", 4)]
    [InlineData("PUT", null, 4)]
    [InlineData("DELETE", null, 4)]
    [InlineData("POST", "idempotent", 4)]
    [InlineData("POST", "none", 4)]
    [InlineData("POST", null, 1)]
    [InlineData("PATCH", null, 1)]
    [InlineData("POST", "once", 1)]
    [InlineData("PUT", "once", 1)]
    public async Task A_failed_request_is_repeated_if_that_is_safe(string method, string? effects, int attempts)
    {
        var tool = new CalledTool(_ => new HttpResponseMessage(HttpStatusCode.BadGateway));

        var (text, isError) = await tool.CallAsync(Define(method, effects));

        Assert.True(isError);
        Assert.Equal(attempts, tool.Sent.Count);
        Assert.Equal(attempts == 1, text.Contains(Sent, StringComparison.Ordinal));
        Assert.Single(tool.Sent.Select(it => it.Request.Headers.NonValidated["Idempotency-Key"].ToString()).Distinct());
    }

    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable, "0", 4)]
    [InlineData(HttpStatusCode.TooManyRequests, "0", 4)]
    [InlineData(HttpStatusCode.ServiceUnavailable, null, 1)]
    [InlineData(HttpStatusCode.BadGateway, "0", 1)]
    [InlineData(HttpStatusCode.ServiceUnavailable, "3600", 1)]
    public async Task A_post_is_repeated_if_the_server_asks_for_it(HttpStatusCode status, string? retryAfter, int attempts)
    {
        var tool = new CalledTool(_ =>
        {
            var answer = new HttpResponseMessage(status);
            if (retryAfter is not null)
            {
                answer.Headers.TryAddWithoutValidation("Retry-After", retryAfter);
            }
            return answer;
        });

        await tool.CallAsync(Define("POST", null));

        Assert.Equal(attempts, tool.Sent.Count);
    }

    [Theory]
    [InlineData(HttpRequestError.ConnectionError, null, 4, false)]
    [InlineData(HttpRequestError.NameResolutionError, null, 4, false)]
    [InlineData(HttpRequestError.ResponseEnded, null, 1, true)]
    [InlineData(HttpRequestError.ConnectionError, "once", 1, false)]
    public async Task A_post_is_repeated_if_it_was_not_sent(HttpRequestError error, string? effects, int attempts, bool isUnknown)
    {
        var tool = new CalledTool(_ => throw new HttpRequestException(error, "broken"));

        var (text, isError) = await tool.CallAsync(Define("POST", effects));

        Assert.True(isError);
        Assert.Equal(attempts, tool.Sent.Count);
        Assert.Equal(isUnknown, text.Contains(Sent, StringComparison.Ordinal));
    }

    private static Core.Definitions.ToolDefinition Define(string method, string? effects) =>
        CalledTool.Define($$"""{"url": "https://h/", "method": "{{method}}"}""", effects: effects) with
        {
            Effects = effects ?? "idempotent",
        };
}
