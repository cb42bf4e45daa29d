using System.Net;
using AgentExecutor.Adapters.Egress;

namespace AgentExecutor.Tests.Egress;

public sealed class RedirectHandlerTests
{
    [Theory]
    [InlineData("GET", 302, "/next", "GET https://a/next, secret, no body")]
    [InlineData("HEAD", 301, "/next", "HEAD https://a/next, secret, no body")]
    [InlineData("POST", 303, "/next", "GET https://a/next, secret, no body")]
    [InlineData("POST", 307, "/next", "POST https://a/next, secret, body")]
    [InlineData("PUT", 308, "/next", "PUT https://a/next, secret, body")]
    [InlineData("POST", 307, "https://b/next", "POST https://b/next, no secret, body")]
    [InlineData("GET", 302, "https://b/next", "GET https://b/next, no secret, no body")]
    [InlineData("GET", 302, "https://a:8443/next", "GET https://a:8443/next, no secret, no body")]
    [InlineData("GET", 302, "https://u:p@a/next", "GET https://a/next, secret, no body")]
    public async Task A_redirect_is_followed_without_credentials_for_another_origin(
        string method,
        int status,
        string location,
        string expected
    )
    {
        var server = new Server((HttpStatusCode)status, location);

        using var response = await SendAsync(server, method, "https://a/first");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(expected, server.Seen[^1]);
        Assert.Equal(2, server.Seen.Count);
    }

    [Theory]
    [InlineData("POST", 301, "/next")]
    [InlineData("POST", 302, "/next")]
    [InlineData("GET", 304, "/next")]
    [InlineData("GET", 302, null)]
    public async Task Other_redirects_are_returned(string method, int status, string? location)
    {
        var server = new Server((HttpStatusCode)status, location);

        using var response = await SendAsync(server, method, "https://a/first");

        Assert.Equal((HttpStatusCode)status, response.StatusCode);
        Assert.Single(server.Seen);
    }

    [Theory]
    [InlineData("http://a/next", "scheme 'http'")]
    [InlineData("file:///etc/passwd", "scheme 'file'")]
    [InlineData("https://elsewhere/next", "not allowed here")]
    [InlineData("/first", "more than 5 times")]
    public async Task A_redirect_that_is_not_allowed_is_refused(string location, string expected)
    {
        var server = new Server(HttpStatusCode.Found, location) { Always = true };

        var exception = await Assert.ThrowsAsync<EgressException>(() => SendAsync(server, "GET", "https://a/first"));

        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> SendAsync(Server server, string method, string url)
    {
        using var client = new HttpClient(new RedirectHandler(new EgressGuard(null, "a, b"), server));
        using var request = new HttpRequestMessage(new HttpMethod(method), url);
        request.Headers.TryAddWithoutValidation("X-Api-Key", "s3cret");
        request.Headers.TryAddWithoutValidation("Accept", "text/plain");
        request.Content = method is "GET" or "HEAD" ? null : new StringContent("body");
        return await client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    private sealed class Server(HttpStatusCode status, string? location) : HttpMessageHandler
    {
        public List<string> Seen { get; } = [];

        public bool Always { get; init; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Assert.Equal("text/plain", request.Headers.Accept.ToString());
            var secret = request.Headers.Contains("X-Api-Key") ? "secret" : "no secret";
            var body = request.Content is null ? "no body" : await request.Content.ReadAsStringAsync(cancellationToken);
            Seen.Add($"{request.Method} {request.RequestUri!.AbsoluteUri}, {secret}, {body}");
            if (Seen.Count > 1 && !Always)
            {
                return new HttpResponseMessage(HttpStatusCode.OK);
            }
            var answer = new HttpResponseMessage(status);
            if (location is not null)
            {
                answer.Headers.Location = new Uri(location, UriKind.RelativeOrAbsolute);
            }
            return answer;
        }
    }
}
