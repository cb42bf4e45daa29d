using System.Text;
using AgentExecutor.Adapters.Sandbox;

namespace AgentExecutor.Tests.Sandbox;

public sealed class ProxyRequestTests
{
    [Theory]
    [InlineData("CONNECT example.com:443 HTTP/1.1", "example.com", 443)]
    [InlineData("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: x", "2001:db8::1", 443)]
    public void A_tunnel_names_its_host_and_port(string head, string host, int port) =>
        Assert.Equal(new ProxyRequest(host, port, null), ProxyRequest.Parse(head));

    [Fact]
    public void A_forwarded_request_has_a_path_and_no_headers_for_the_proxy()
    {
        var request = ProxyRequest.Parse(
            "POST http://example.com:8080/path?a=b HTTP/1.1\r\nHost: example.com\r\n"
                + "Proxy-Authorization: x\r\nConnection: keep-alive\r\nA: b"
        );

        Assert.Equal(("example.com", 8080), (request!.Host, request.Port));
        Assert.Equal(
            "POST /path?a=b HTTP/1.1\r\nHost: example.com\r\nA: b\r\nConnection: close\r\n\r\n",
            Encoding.ASCII.GetString(request.Forwarded!)
        );
    }

    [Theory]
    [InlineData("GET /path HTTP/1.1")]
    [InlineData("GET ftp://example.com/ HTTP/1.1")]
    [InlineData("GET https://example.com/ HTTP/1.1")]
    [InlineData("CONNECT example.com HTTP/1.1")]
    [InlineData("CONNECT example.com:0 HTTP/1.1")]
    [InlineData("CONNECT example.com:99999 HTTP/1.1")]
    [InlineData("nonsense")]
    [InlineData("")]
    public void Anything_else_is_not_a_request_to_a_proxy(string head) => Assert.Null(ProxyRequest.Parse(head));
}
