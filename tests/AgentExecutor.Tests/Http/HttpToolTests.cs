using System.Net;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Graphs.Definitions;

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
    public void Only_public_addresses_are_public(string address, bool isPublic) => Assert.Equal(isPublic, GuardedConnection.IsPublic(IPAddress.Parse(address)));

    [Fact]
    public async Task A_private_address_is_refused_before_anything_is_sent()
    {
        using var client = new HttpClient(GuardedConnection.Handler(allowPrivate: false));

        var exception = await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetAsync("http://localhost:9/", TestContext.Current.CancellationToken));

        Assert.Contains("may not reach private networks", exception.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, null, "runtime.url")]
    [InlineData("ftp://x", null, null, "runtime.url")]
    [InlineData("/relative", null, null, "runtime.url")]
    [InlineData("http://x", "BREW", null, "runtime.method")]
    [InlineData("http://x", null, 0.0, "runtime.timeout_seconds")]
    [InlineData("http://x", null, 1e6, "runtime.timeout_seconds")]
    public void A_bad_runtime_is_found(string? url, string? method, double? seconds, string path)
    {
        using var source = new HttpToolSource(new HttpToolSettings(), TimeProvider.System);

        var faults = source.Check(new ToolDefinition { Name = "x", Runtime = new() { Type = "http", Url = url, Method = method, TimeoutSeconds = seconds } });

        Assert.Contains(path, faults.Select(it => it.Path));
    }
}
