using System.Globalization;
using System.Text;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>The head of a request to a proxy (RFC 9112, section 3.2).</summary>
/// <param name="Host">The host to connect to, without brackets.</param>
/// <param name="Port">The port to connect to.</param>
/// <param name="Forwarded">What is sent to the host first; null for a tunnel (CONNECT).</param>
internal sealed record ProxyRequest(string Host, int Port, byte[]? Forwarded)
{
    private const int HttpPort = 80;

    /// <summary>Reads a head without its final empty line. Returns null if it is not a request for a proxy.</summary>
    public static ProxyRequest? Parse(string head)
    {
        var lines = head.Split("\r\n");
        return lines[0].Split(' ') switch
        {
            ["CONNECT", var target, _] => Tunnel(target),
            [var method, var target, _] => Forward(method, target, lines[1..]),
            _ => null,
        };
    }

    private static ProxyRequest? Tunnel(string target)
    {
        var colon = target.LastIndexOf(':');
        return colon > 0 && IsPort(target[(colon + 1)..], out var port)
            ? new ProxyRequest(target[..colon].Trim('[', ']'), port, null)
            : null;
    }

    /// <summary>
    /// A request with an absolute URL. The server closes the connection after its response, so that the client opens a new one for a
    /// request to another host.
    /// </summary>
    private static ProxyRequest? Forward(string method, string target, string[] headers)
    {
        if (!Uri.TryCreate(target, UriKind.Absolute, out var url) || url.Scheme != "http" || url.Host.Length == 0)
        {
            return null;
        }
        var head = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{method} {url.PathAndQuery} HTTP/1.1\r\n");
        foreach (var header in headers.Where(IsForwarded))
        {
            head.Append(header).Append("\r\n");
        }
        head.Append("Connection: close\r\n\r\n");
        return new ProxyRequest(url.Host.Trim('[', ']'), url.Port > 0 ? url.Port : HttpPort, Encoding.Latin1.GetBytes(head.ToString()));
    }

    private static bool IsForwarded(string header) =>
        header.Length > 0
        && !header.StartsWith("Proxy-", StringComparison.OrdinalIgnoreCase)
        && !header.StartsWith("Connection:", StringComparison.OrdinalIgnoreCase);

    private static bool IsPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and <= ushort.MaxValue;
}
