using System.Net;
using System.Text;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class LimitTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_over_the_limit_is_refused_and_the_next_request_is_served(bool isChunked)
    {
        await using var server = await ApiServer.StartAsync(
            null,
            new Dictionary<string, string> { ["AGENT_EXECUTOR_HTTP_MAX_BODY_BYTES"] = "2000" }
        );
        var request = ApiServer.Request(
            "/",
            Encoding.UTF8.GetBytes(JobRequests.Data("large", input: new string('x', 100_000))),
            "application/json"
        );
        request.Headers.TransferEncodingChunked = isChunked;

        (await server.SendAsync(request)).AssertProblem(HttpStatusCode.RequestEntityTooLarge, "invalid_event");

        (await server.PostAsync("/", JobRequests.Data("small"))).AssertStatus(HttpStatusCode.OK);
        (await server.StateAsync("large")).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
    }
}
