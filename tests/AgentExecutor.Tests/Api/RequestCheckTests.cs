using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Server.Api.Checks;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

namespace AgentExecutor.Tests.Api;

public sealed class RequestCheckTests
{
    private const string Evil = "https://evil.example";

    private static readonly HttpSettings Named = new()
    {
        AllowedHosts = "agents.example.com, *.internal:8443 docs.example.com.",
        AllowedOrigins = "https://app.example.com:443, http://localhost:3000/",
        PublicUrl = "https://agents.example.com/base",
    };

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:8080")]
    [InlineData("10.1.2.3:1")]
    [InlineData("[::1]")]
    [InlineData("[2001:db8::1]:8080")]
    [InlineData("localhost")]
    [InlineData("LocalHost:8080")]
    [InlineData("localhost.:8080")]
    [InlineData("")]
    public async Task Addresses_and_localhost_are_accepted_as_hosts(string host) =>
        Assert.Null(await CheckAsync(new(), Request(host: host)));

    [Theory]
    [InlineData("agents.example.com")]
    [InlineData("evil.localhost")]
    [InlineData("localhost.evil.example")]
    [InlineData("127.0.0.1.evil.example")]
    [InlineData("127.1")]
    [InlineData("2130706433")]
    [InlineData("agent-executor:8080")]
    public async Task Other_hosts_are_rejected_and_the_error_names_the_setting(string host)
    {
        var fault = await CheckAsync(new(), Request(host: host));

        Assert.Equal(FaultCodes.HostRefused, fault?.Code);
        Assert.Contains("ALLOWED_HOSTS", fault!.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("agents.example.com", true)]
    [InlineData("AGENTS.example.com:9000", true)]
    [InlineData("agents.example.com.", true)]
    [InlineData("docs.example.com", true)]
    [InlineData("a.internal:8443", true)]
    [InlineData("a.b.internal:8443", true)]
    [InlineData("a.internal", false)]
    [InlineData("internal:8443", false)]
    [InlineData("xagents.example.com", false)]
    [InlineData("10.0.0.1", true)]
    public async Task Only_allowed_hosts_are_accepted(string host, bool isAccepted) =>
        Assert.Equal(isAccepted ? null : FaultCodes.HostRefused, (await CheckAsync(Named, Request(host: host)))?.Code);

    [Fact]
    public async Task A_star_allows_every_host() =>
        Assert.Null(await CheckAsync(new HttpSettings { AllowedHosts = "*" }, Request(host: "evil.example")));

    [Theory]
    [InlineData("ALLOWED_HOSTS", "https://agents.example.com")]
    [InlineData("ALLOWED_HOSTS", "example:x")]
    [InlineData("ALLOWED_HOSTS", "*example.com")]
    [InlineData("ALLOWED_HOSTS", "a/b")]
    [InlineData("CORS_ORIGINS", "app.example.com")]
    [InlineData("CORS_ORIGINS", "https://app.example.com/path")]
    [InlineData("CORS_ORIGINS", "https://user@app.example.com")]
    [InlineData("PUBLIC_URL", "agents")]
    public void An_invalid_value_is_a_settings_fault(string setting, string value) =>
        Assert.Contains(
            $"{setting}: '{value}' is not ",
            Assert.Throws<SettingsException>(() => SettingsReader.Read(new Dictionary<string, string> { [setting] = value })).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void All_settings_faults_are_reported_together()
    {
        var fault = Assert.Throws<SettingsException>(() =>
            SettingsReader.Read(
                new Dictionary<string, string>
                {
                    ["ALLOWED_HOSTS"] = "a/b, c/d",
                    ["CORS_ORIGINS"] = "e",
                    ["PUBLIC_URL"] = "f",
                    ["PORT"] = "g",
                }
            )
        );

        Assert.All(
            (string[])["'a/b'", "'c/d'", "CORS_ORIGINS", "PUBLIC_URL", "PORT"],
            text => Assert.Contains(text, fault.Message, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("127.0.0.1:8080", "http://127.0.0.1:8080", true)]
    [InlineData("127.0.0.1:8080", "https://127.0.0.1:8080", true)]
    [InlineData("localhost", "http://localhost", true)]
    [InlineData("localhost", "https://localhost", true)]
    [InlineData("localhost", "http://localhost:8080", false)]
    [InlineData("localhost:8080", "http://localhost", false)]
    [InlineData("localhost:8080", "http://127.0.0.1:8080", false)]
    [InlineData("127.0.0.1:8080", Evil, false)]
    [InlineData("127.0.0.1:8080", "null", false)]
    [InlineData("127.0.0.1:8080", "http://127.0.0.1:8080, http://evil.example", false)]
    [InlineData("127.0.0.1:8080", "chrome-extension://127.0.0.1:8080", false)]
    public async Task Only_pages_of_the_service_can_send_requests(string host, string origin, bool isOwn)
    {
        foreach (var method in (string[])["GET", "POST", "DELETE"])
        {
            Assert.Equal(
                isOwn ? null : FaultCodes.OriginRefused,
                (await CheckAsync(new(), Request(method, host: host, headers: ("Origin", origin))))?.Code
            );
        }
    }

    [Theory]
    [InlineData("https://app.example.com", true)]
    [InlineData("http://localhost:3000", true)]
    [InlineData("https://agents.example.com", true)]
    [InlineData("https://agents.example.com:8443", false)]
    [InlineData("http://app.example.com", false)]
    [InlineData("https://app.example.com.evil.example", false)]
    [InlineData("null", false)]
    public async Task Pages_of_allowed_origins_and_of_the_public_URL_can_send_requests(string origin, bool isAllowed) =>
        Assert.Equal(isAllowed ? null : FaultCodes.OriginRefused, (await CheckAsync(Named, Request(headers: ("Origin", origin))))?.Code);

    [Fact]
    public async Task A_request_from_another_site_is_rejected_unless_its_origin_is_allowed()
    {
        Assert.Equal(FaultCodes.OriginRefused, (await CheckAsync(Named, Request("GET", headers: ("Sec-Fetch-Site", "cross-site"))))?.Code);
        Assert.Equal(FaultCodes.OriginRefused, (await CheckAsync(Named, Request("POST", headers: ("Sec-Fetch-Site", "cross-site"))))?.Code);
        Assert.Null(
            await CheckAsync(Named, Request("POST", headers: [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://app.example.com")]))
        );
        Assert.Null(await CheckAsync(Named, Request("GET", headers: ("Sec-Fetch-Site", "same-origin"))));
        Assert.Null(await CheckAsync(Named, Request("GET", headers: ("Sec-Fetch-Site", "none"))));
    }

    [Theory]
    [InlineData("GET", "navigate", "document", true)]
    [InlineData("GET", "navigate", "", true)]
    [InlineData("GET", "navigate", "iframe", false)]
    [InlineData("POST", "navigate", "document", false)]
    [InlineData("GET", "no-cors", "image", false)]
    [InlineData("GET", "websocket", "empty", false)]
    public async Task Other_sites_can_only_link_to_the_service(string method, string mode, string destination, bool isAccepted)
    {
        var request = Request(
            method,
            headers: [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", destination)]
        );

        Assert.Equal(isAccepted ? null : FaultCodes.OriginRefused, (await CheckAsync(new(), request))?.Code);
    }

    [Theory]
    [InlineData("application/json", true)]
    [InlineData("Application/JSON; charset=utf-8", true)]
    [InlineData("application/cloudevents+json", true)]
    [InlineData("application/cloudevents-batch+json; charset=UTF-8", true)]
    [InlineData("application/problem+json", true)]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("text/plain", false)]
    [InlineData("text/plain; application/json", false)]
    [InlineData("text/plain;+json", false)]
    [InlineData("text/json", false)]
    [InlineData("application/json, text/plain", false)]
    [InlineData("text/plain, application/json", false)]
    [InlineData("application/cloudevents", false)]
    [InlineData("application/x-www-form-urlencoded", false)]
    [InlineData("multipart/form-data; boundary=application/json", false)]
    public async Task Only_an_empty_body_needs_no_JSON_content_type(string? type, bool isAccepted)
    {
        foreach (var isChunked in (bool[])[false, true])
        {
            Assert.Equal(
                isAccepted ? null : FaultCodes.UnsupportedMediaType,
                (await CheckAsync(new(), Request(body: "{}", type: type, isChunked: isChunked)))?.Code
            );
            Assert.Null(await CheckAsync(new(), Request(body: "", type: type, isChunked: isChunked)));
        }
    }

    [Fact]
    public async Task Event_attributes_in_headers_do_not_replace_the_content_type() =>
        Assert.Equal(
            FaultCodes.UnsupportedMediaType,
            (await CheckAsync(new(), Request(body: "{}", type: null, headers: ("ce-specversion", "1.0"))))?.Code
        );

    [Theory]
    [InlineData("/health")]
    [InlineData("/ready")]
    [InlineData("/metrics/")]
    public async Task Routes_for_probes_and_scrapers_are_exempt(string path)
    {
        Assert.Null(
            await CheckAsync(new(), Request("GET", path, "evil.example", headers: [("Origin", Evil), ("Sec-Fetch-Site", "cross-site")]))
        );
        Assert.Equal(FaultCodes.HostRefused, (await CheckAsync(new(), Request("GET", path + "/x", "evil.example")))?.Code);
    }

    [Theory]
    [InlineData("text/csv", "Origin", "http://localhost:8080", null)]
    [InlineData("text/csv", "Authorization", "Bearer x", null)]
    [InlineData("text/csv", "X-Api-Key", "x", null)]
    [InlineData("application/json", "X-Api-Key", "x", null)]
    [InlineData("text/plain", "X-Api-Key", "x", FaultCodes.UnsupportedMediaType)]
    [InlineData("text/csv", "Authorization", "Basic eDp4", FaultCodes.OriginRefused)]
    [InlineData("text/csv", "Origin", "null", FaultCodes.OriginRefused)]
    [InlineData("text/csv", "Accept", "*/*", FaultCodes.OriginRefused)]
    public async Task A_route_with_another_media_type_requires_a_page_of_the_service_or_a_key(
        string type,
        string header,
        string value,
        string? code
    )
    {
        var table = new RouteMediaTypes(new Dictionary<string, ImmutableArray<string>> { ["/uploads/{id}"] = ["text/csv"] });
        var request = Request("POST", "/uploads/1", body: "a,b", type: type, headers: (header, value));
        request.SetEndpoint(new RouteEndpoint(static _ => Task.CompletedTask, RoutePatternFactory.Parse("/uploads/{id}"), 0, null, null));

        Assert.Equal(code, (await CheckAsync(new(), request, table))?.Code);
    }

    [Fact]
    public async Task An_allowed_origin_can_read_the_response_and_every_response_varies_by_origin()
    {
        var (allowed, other, none) = (
            Request("GET", headers: ("Origin", "https://app.example.com")),
            Request("GET", headers: ("Origin", Evil)),
            Request("GET")
        );
        foreach (var context in (HttpContext[])[allowed, other, none])
        {
            await CheckAsync(Named, context);
        }

        Assert.Equal("https://app.example.com", allowed.Response.Headers.AccessControlAllowOrigin);
        Assert.Equal(["Origin", "Origin", "Origin"], new[] { allowed, other, none }.Select(it => it.Response.Headers.Vary.ToString()));
        Assert.Equal(0, other.Response.Headers.AccessControlAllowOrigin.Count);
        Assert.Equal(0, none.Response.Headers.AccessControlAllowOrigin.Count);
    }

    private static async Task<FaultException?> CheckAsync(HttpSettings settings, HttpContext context, RouteMediaTypes? table = null)
    {
        var isPassed = false;
        try
        {
            await new RequestCheck(settings, table ?? RouteMediaTypes.Current).RunAsync(
                context,
                _ =>
                {
                    isPassed = true;
                    return Task.CompletedTask;
                }
            );
            Assert.True(isPassed);
            return null;
        }
        catch (FaultException fault)
        {
            Assert.False(isPassed);
            Assert.NotNull(fault.Hint);
            return fault;
        }
    }

    private static DefaultHttpContext Request(
        string method = "POST",
        string path = "/",
        string host = "localhost:8080",
        string body = "",
        string? type = null,
        bool isChunked = false,
        params (string Name, string Value)[] headers
    )
    {
        var context = new DefaultHttpContext();
        (context.Request.Method, context.Request.Path, context.Request.Host) = (method, path, new HostString(host));
        context.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        context.Request.ContentType = type;
        context.Request.ContentLength = isChunked ? null : body.Length;
        foreach (var (name, value) in headers)
        {
            context.Request.Headers[name] = value;
        }
        context.SetEndpoint(new RouteEndpoint(static _ => Task.CompletedTask, RoutePatternFactory.Parse("/"), 0, null, null));
        return context;
    }
}
