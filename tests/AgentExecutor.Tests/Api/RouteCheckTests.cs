using System.Net;
using System.Text;
using AgentExecutor.Core.Json;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace AgentExecutor.Tests.Api;

/// <summary>Every route of the server is protected by the request check.</summary>
public sealed class RouteCheckTests : IAsyncLifetime
{
    private const string Allowed = "https://app.example.com";
    private const string Evil = "https://evil.example";

    private static readonly string[] Exempt = ["/health", "/ready", "/metrics"];

    private readonly Shutdown _shutdown = new(TimeSpan.Zero, TimeProvider.System);
    private WebApplication _server = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        var settings = new ServerSettings
        {
            Port = 0,
            Http = new HttpSettings { AllowedOrigins = Allowed },
        };
        _server = await HttpOnly.StartAsync(settings, _shutdown);
        _http = new HttpClient { BaseAddress = new Uri(_server.Urls.First()) };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _shutdown.Dispose();
    }

    [Fact]
    public Task No_route_responds_to_an_unknown_host() =>
        ForEachRouteAsync(
            async (method, path, isExempt) =>
                Assert.Equal(isExempt ? null : "host_refused", await CodeAsync(method, path, ("Host", "evil.example")))
        );

    [Fact]
    public Task No_route_responds_to_a_page_of_another_site() =>
        ForEachRouteAsync(
            async (method, path, isExempt) =>
            {
                Assert.Equal(isExempt ? null : "origin_refused", await CodeAsync(method, path, ("Origin", Evil)));
                Assert.Equal(isExempt ? null : "origin_refused", await CodeAsync(method, path, ("Sec-Fetch-Site", "cross-site")));
                Assert.Equal(
                    isExempt ? null : "origin_refused",
                    await CodeAsync(
                        method,
                        path,
                        ("Origin", Evil),
                        ("Connection", "Upgrade"),
                        ("Upgrade", "websocket"),
                        ("Sec-WebSocket-Version", "13"),
                        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
                    )
                );
            }
        );

    [Fact]
    public Task No_route_accepts_a_body_that_a_page_can_send_without_permission() =>
        ForEachRouteAsync(
            async (method, path, isExempt) =>
            {
                if (!isExempt && method == "POST")
                {
                    Assert.Equal("unsupported_media_type", await CodeAsync(method, path, null, "{}", isChunked: false));
                    Assert.Equal("unsupported_media_type", await CodeAsync(method, path, "text/plain", "{}", isChunked: true));
                    Assert.Equal("store_unavailable", await CodeAsync(method, path, "application/json", "{}", isChunked: true));
                    Assert.Equal("store_unavailable", await CodeAsync(method, path, null, "", isChunked: true));
                }
            }
        );

    [Fact]
    public Task Every_route_permits_an_allowed_page() =>
        ForEachRouteAsync(
            async (method, path, _) =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Options, path);
                request.Headers.Add("Origin", Allowed);
                request.Headers.Add("Access-Control-Request-Method", method);
                request.Headers.Add("Access-Control-Request-Headers", "content-type,prefer");
                using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);

                Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
                Assert.Equal(Allowed, Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin")));
                Assert.Contains(
                    method,
                    string.Join(',', response.Headers.GetValues("Access-Control-Allow-Methods")),
                    StringComparison.Ordinal
                );
                Assert.Equal("content-type,prefer", string.Join(',', response.Headers.GetValues("Access-Control-Allow-Headers")));
                Assert.Contains("Origin", response.Headers.Vary);
            }
        );

    [Fact]
    public async Task A_page_of_another_site_gets_no_permission()
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, "/");
        request.Headers.Add("Origin", Evil);
        request.Headers.Add("Access-Control-Request-Method", "POST");
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_path_without_a_route_is_checked_too()
    {
        Assert.Equal("host_refused", await CodeAsync("GET", "/nowhere", ("Host", "evil.example")));
        Assert.Equal("origin_refused", await CodeAsync("POST", "/nowhere", ("Origin", Evil)));
    }

    private async Task ForEachRouteAsync(Func<string, string, bool, Task> check)
    {
        var routes = HttpOnly
            .RoutesOf(_server)
            .SelectMany(route =>
                route
                    .Metadata.GetRequiredMetadata<HttpMethodMetadata>()
                    .HttpMethods.Select(method => (Method: method, Pattern: route.RoutePattern.RawText!))
            )
            .ToList();
        Assert.NotEmpty(routes);
        foreach (var (method, pattern) in routes.Where(route => route.Method != "HEAD"))
        {
            await check(method, pattern.Replace("{thread_id}", "one", StringComparison.Ordinal), Exempt.Contains(pattern));
        }
    }

    private Task<string?> CodeAsync(string method, string path, params (string Name, string Value)[] headers) =>
        CodeAsync(method, path, null, "", isChunked: false, headers);

    /// <summary>Returns the code of the problem, or null if the response is not a problem.</summary>
    private async Task<string?> CodeAsync(
        string method,
        string path,
        string? type,
        string body,
        bool isChunked,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (type is not null || body.Length > 0 || isChunked)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
            request.Headers.TransferEncodingChunked = isChunked;
        }
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        if (response.Content.Headers.ContentType?.MediaType != "application/problem+json")
        {
            return null;
        }
        var problem = System.Text.Json.JsonElement.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.NotEmpty(problem.TextProperty("detail")!);
        return problem.TextProperty("code");
    }
}
