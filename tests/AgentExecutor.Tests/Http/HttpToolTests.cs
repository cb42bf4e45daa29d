using System.Net;
using System.Text.Json;
using AgentExecutor.Adapters.Egress;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Tests.Http;

public sealed class HttpToolTests
{
    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("8.8.8.8", true)]
    [InlineData("::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("64:ff9b::a9fe:a9fe", false)]
    [InlineData("64:ff9b:1::10.0.0.1", false)]
    [InlineData("64:ff9b::808:808", true)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("2002:808:808::1", true)]
    [InlineData("2001:0:4136:e378:8000:63bf:3fff:fdd2", false)]
    public void Only_public_addresses_are_public(string address, bool isPublic) =>
        Assert.Equal(isPublic, PublicAddress.IsPublic(IPAddress.Parse(address)));

    [Fact]
    public async Task A_private_address_is_rejected_before_anything_is_sent()
    {
        using var client = new HttpClient(GuardedConnection.Handler(allowPrivate: false));

        var exception = await Assert.ThrowsAnyAsync<HttpRequestException>(() =>
            client.GetAsync("http://localhost:9/", TestContext.Current.CancellationToken)
        );

        Assert.Contains("are not allowed to access private networks", exception.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, null, "runtime.url")]
    [InlineData("ftp://x", null, null, "runtime.url")]
    [InlineData("/relative", null, null, "runtime.url")]
    [InlineData("http://x", "BREW", null, "runtime.method")]
    [InlineData("http://x", null, 0.0, "runtime.timeout_seconds")]
    [InlineData("http://x", null, 1e6, "runtime.timeout_seconds")]
    public void An_invalid_runtime_is_reported(string? url, string? method, double? seconds, string path)
    {
        using var source = new HttpToolSource(new HttpToolSettings(), TimeProvider.System);

        var faults = source.Check(
            new ToolDefinition
            {
                Name = "x",
                Runtime = new()
                {
                    Type = "http",
                    Url = url,
                    Method = method,
                    TimeoutSeconds = seconds,
                },
            }
        );

        Assert.Contains(path, faults.Select(it => it.Path));
    }

    [Theory]
    [InlineData("""{"Authorization": {"env": "MY_KEY", "prefix": "Bearer "}}""", null, false)]
    [InlineData("""{"X-Plain": "text"}""", null, false)]
    [InlineData("""{"Authorization": "Bearer literal"}""", "is stored with it", true)]
    [InlineData("""{"X-Api-Key": "literal"}""", "is stored with it", true)]
    [InlineData("""{"X": {"env": "OTHER"}}""", "are not allowed to use the secret 'OTHER'", false)]
    [InlineData("""{"X": {"env": "UNSET"}}""", "the secret 'UNSET' is not set", false)]
    [InlineData("""{"X": {"env": "BROKEN"}}""", "contains characters that are not allowed in headers", false)]
    [InlineData("""{"X": {"env": "MY_KEY", "suffix": "x"}}""", "the value is not valid for a header", false)]
    [InlineData("""{"X": 7}""", "the value is not valid for a header", false)]
    [InlineData("""{"X": "a\nb"}""", "characters that are not allowed in headers", false)]
    [InlineData("""{"X": "Müller"}""", "characters that are not allowed in headers", false)]
    [InlineData("""{"Host": "admin.internal"}""", "is always set by the runtime", false)]
    [InlineData("""{"transfer-encoding": "chunked"}""", "is always set by the runtime", false)]
    [InlineData("""{"Content-Length": {"env": "MY_KEY"}}""", "is always set by the runtime", false)]
    [InlineData("""{"Content-Type": "application/vnd.api+json"}""", null, false)]
    [InlineData("""{"X Y": "a"}""", "characters that are not allowed in headers", false)]
    public void Secrets_in_headers_are_checked(string headers, string? expected, bool isWarning)
    {
        var settings = new HttpToolSettings { AllowedSecrets = "MY_KEY, UNSET, BROKEN" }.WithSecrets(
            new Dictionary<string, Secret> { ["MY_KEY"] = new("s3cret"), ["BROKEN"] = new("a\nb") }
        );
        using var source = new HttpToolSource(settings, TimeProvider.System);

        var faults = source
            .Check(
                new ToolDefinition
                {
                    Name = "x",
                    Runtime = new()
                    {
                        Type = "http",
                        Url = "http://x",
                        Headers = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(headers),
                    },
                }
            )
            .ToList();

        Assert.Equal(expected is null ? 0 : 1, faults.Count);
        Assert.All(
            faults,
            fault =>
                Assert.True(fault.Message.Contains(expected!, StringComparison.Ordinal) && fault.IsWarning == isWarning, fault.ToString())
        );
        Assert.All(faults, fault => Assert.Equal(fault.Message.Contains("secret '", StringComparison.Ordinal), fault.IsEnvironment));
        Assert.DoesNotContain(faults, fault => fault.ToString().Contains("s3cret", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("[::1]:8080", "::1", 8080, true)]
    [InlineData("[::1]", "::1", 8080, true)]
    [InlineData("[::1]:8080", "::1", 80, false)]
    [InlineData("internal:8080", "internal", 8080, true)]
    public void A_connection_matches_listed_hosts_without_brackets(string listed, string host, int port, bool isListed) =>
        Assert.Equal(isListed, new AllowedHosts(listed).Contains(host, port));

    [Theory]
    [InlineData("", "http://anywhere/", true)]
    [InlineData("api.example.com", "https://api.example.com/x", true)]
    [InlineData("API.example.com , other", "https://api.example.com/x", true)]
    [InlineData("api.example.com:8443", "https://api.example.com:8443/x", true)]
    [InlineData("api.example.com:8443", "https://api.example.com/x", false)]
    [InlineData("[::1]:8080", "http://[::1]:8080/x", true)]
    [InlineData("::1", "http://[::1]:8080/x", true)]
    [InlineData("[::1]:8080", "http://[::1]/x", false)]
    [InlineData("api.example.com", "https://evil.example.com/api.example.com", false)]
    public void A_tool_reaches_only_listed_hosts_if_any_are_listed(string listed, string url, bool isAllowed)
    {
        using var source = new HttpToolSource(new HttpToolSettings { AllowedHosts = listed }, TimeProvider.System);

        var faults = source
            .Check(
                new ToolDefinition
                {
                    Name = "x",
                    Runtime = new() { Type = "http", Url = url },
                }
            )
            .ToList();

        Assert.Equal(isAllowed, faults.Count == 0);
        Assert.All(faults, fault => Assert.True(fault.IsEnvironment));
    }
}
