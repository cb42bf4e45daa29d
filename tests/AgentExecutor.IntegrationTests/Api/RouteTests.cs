using System.Net;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class RouteTests(ApiFixture api)
{
    [Theory]
    [InlineData("/nothing")]
    [InlineData("/deepagents-runtime/state/")]
    [InlineData("/threads/x")]
    public async Task An_unknown_path_is_a_problem(string path) =>
        (await (await api.ServerAsync()).GetAsync(path)).AssertProblem(HttpStatusCode.NotFound, "unknown_route");

    [Theory]
    [InlineData("GET", "/", "POST, OPTIONS")]
    [InlineData("PUT", "/deepagents-runtime/invoke", "POST, OPTIONS")]
    [InlineData("DELETE", "/deepagents-runtime/state/x", "GET, HEAD, OPTIONS")]
    [InlineData("GET", "/threads/x/cancel", "POST, OPTIONS")]
    [InlineData("POST", "/health", "GET, HEAD, OPTIONS")]
    public async Task An_unsupported_method_is_a_problem_that_names_the_supported_ones(string method, string path, string allowed)
    {
        var reply = await (await api.ServerAsync()).SendAsync(new HttpRequestMessage(new HttpMethod(method), path));

        reply.AssertProblem(HttpStatusCode.MethodNotAllowed, "method_not_allowed");
        Assert.Equal(allowed.Split(", ").Order(StringComparer.Ordinal), reply.ContentHeaders.Allow.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task OPTIONS_returns_the_methods()
    {
        var reply = await (await api.ServerAsync()).SendAsync(new HttpRequestMessage(HttpMethod.Options, "/ready"));

        reply.AssertStatus(HttpStatusCode.NoContent);
        Assert.Equal(["GET", "HEAD", "OPTIONS"], reply.ContentHeaders.Allow.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("/health", HttpStatusCode.OK)]
    [InlineData("/ready", HttpStatusCode.OK)]
    [InlineData("/metrics", HttpStatusCode.OK)]
    [InlineData("/openapi.json", HttpStatusCode.OK)]
    [InlineData("/deepagents-runtime/state/nobody", HttpStatusCode.NotFound)]
    public async Task HEAD_is_answered_like_GET_without_the_body(string path, HttpStatusCode status)
    {
        var reply = await (await api.ServerAsync()).SendAsync(new HttpRequestMessage(HttpMethod.Head, path));

        reply.AssertStatus(status);
        Assert.Empty(reply.Body);
        Assert.NotNull(reply.ContentHeaders.ContentType);
    }

    [Theory]
    [InlineData("a%20b")]
    [InlineData("a%2Fb")]
    [InlineData("a%0Ab")]
    [InlineData("%F0%9F%98%80")]
    [InlineData("a'b")]
    public async Task An_invalid_id_is_refused_at_every_route(string id)
    {
        var server = await api.ServerAsync();

        (await server.StateAsync(id)).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
        (await server.GetAsync($"/threads/{id}/history")).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
        (await server.PostAsync($"/threads/{id}/cancel")).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
        (await server.PostAsync($"/threads/{id}/resume")).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
    }

    [Fact]
    public async Task An_id_may_have_200_characters_and_no_more()
    {
        var server = await api.ServerAsync();

        (await server.StateAsync(new string('a', 200))).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        (await server.StateAsync(new string('a', 201))).AssertProblem(HttpStatusCode.BadRequest, "invalid_input");
    }

    [Fact]
    public async Task A_missing_thread_is_not_found_at_every_route()
    {
        var server = await api.ServerAsync();

        (await server.StateAsync("nobody")).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        (await server.GetAsync("/threads/nobody/history")).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        (await server.PostAsync("/threads/nobody/cancel")).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
        (await server.PostAsync("/threads/nobody/resume")).AssertProblem(HttpStatusCode.NotFound, "unknown_thread");
    }
}
