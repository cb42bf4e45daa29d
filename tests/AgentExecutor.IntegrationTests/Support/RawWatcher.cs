using System.Net.Sockets;
using System.Text;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>A watcher on a bare connection, which reads only on request and can abort the connection.</summary>
public sealed class RawWatcher : IDisposable
{
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly StringBuilder _read = new();

    private RawWatcher(TcpClient client) => (_client, _stream) = (client, client.GetStream());

    /// <summary>The text read so far.</summary>
    public string Text => _read.ToString();

    public static string Get(string path) => $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    public static string Upgrade(string path) =>
        $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    public static async Task<RawWatcher> OpenAsync(HttpClient http, string request)
    {
        // A small buffer, so that the server soon has to wait for the watcher.
        var client = new TcpClient { ReceiveBufferSize = 4096, NoDelay = true };
        await client.ConnectAsync(http.BaseAddress!.Host, http.BaseAddress.Port, TestContext.Current.CancellationToken);
        var watcher = new RawWatcher(client);
        await watcher.SendAsync(Encoding.ASCII.GetBytes(request));
        return watcher;
    }

    public Task SendAsync(byte[] bytes) => _stream.WriteAsync(bytes, TestContext.Current.CancellationToken).AsTask();

    /// <summary>Reads until the text was received.</summary>
    public async Task ReadUntilAsync(string text) =>
        Assert.True(await TryReadUntilAsync(text), $"the connection ended before '{text}' came: {Text}");

    /// <summary>Reads until the text was received. Returns false if the connection ended before.</summary>
    public async Task<bool> TryReadUntilAsync(string text)
    {
        var from = Math.Max(0, _read.Length - text.Length);
        while (!_read.ToString(from, _read.Length - from).Contains(text, StringComparison.Ordinal))
        {
            from = Math.Max(0, _read.Length - text.Length);
            if (!await ReadAsync())
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Reads until the server has closed or aborted the connection.</summary>
    public async Task ReadToEndAsync()
    {
        while (await ReadAsync())
        {
            // TryReadUntilAsync and Text use what was read.
        }
    }

    /// <summary>Aborts the connection.</summary>
    public void Cut()
    {
        _client.Client.LingerState = new LingerOption(true, 0);
        _client.Close();
    }

    public void Dispose() => _client.Dispose();

    private async Task<bool> ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        try
        {
            var count = await _stream
                .ReadAsync(buffer, TestContext.Current.CancellationToken)
                .AsTask()
                .WaitAsync(AgentExecutorProgram.Limit);
            _read.Append(Encoding.UTF8.GetString(buffer, 0, count));
            return count > 0;
        }
        catch (IOException)
        {
            return false; // aborted
        }
    }
}
