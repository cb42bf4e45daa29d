using System.Net;
using System.Net.Sockets;
using System.Text;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Publishes messages that a client library refuses to send.</summary>
internal static class RawNats
{
    /// <param name="server">The server.</param>
    /// <param name="subject">The subject.</param>
    /// <param name="headers">The block of headers as it goes over the wire, with its version line and the empty line at its end.</param>
    /// <param name="body">The body.</param>
    public static async Task PublishAsync(NatsServer server, string subject, string headers, string body)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Port, cancel);
        await using var wire = client.GetStream();
        using var reader = new StreamReader(wire);
        await reader.ReadLineAsync(cancel);
        var length = Encoding.UTF8.GetByteCount(headers);
        await wire.WriteAsync(
            Encoding.UTF8.GetBytes(
                "CONNECT {\"verbose\":false,\"headers\":true}\r\n"
                    + $"HPUB {subject} {length} {length + Encoding.UTF8.GetByteCount(body)}\r\n{headers}{body}\r\nPING\r\n"
            ),
            cancel
        );
        Assert.Equal("PONG", await reader.ReadLineAsync(cancel));
    }
}
