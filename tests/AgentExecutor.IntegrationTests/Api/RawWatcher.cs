using System.Net.Sockets;
using System.Text;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>A watcher on a bare connection: it reads when the test says so, and hangs up as it likes.</summary>
public sealed class RawWatcher : IDisposable
{
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly StringBuilder _read = new();

    private RawWatcher(TcpClient client) => (_client, _stream) = (client, client.GetStream());

    /// <summary>What was read so far.</summary>
    public string Text => _read.ToString();

    public static string Get(string path) => $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    public static string Upgrade(string path) =>
        $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    public static async Task<RawWatcher> OpenAsync(HttpClient http, string request)
    {
        var client = new TcpClient { ReceiveBufferSize = 4096, NoDelay = true }; // so that little fits between the two
        await client.ConnectAsync(http.BaseAddress!.Host, http.BaseAddress.Port, TestContext.Current.CancellationToken);
        var watcher = new RawWatcher(client);
        await watcher.SendAsync(Encoding.ASCII.GetBytes(request));
        return watcher;
    }

    public Task SendAsync(byte[] bytes) => _stream.WriteAsync(bytes, TestContext.Current.CancellationToken).AsTask();

    /// <summary>Reads on until the text stands in what was read.</summary>
    public async Task ReadUntilAsync(string text) => Assert.True(await TryReadUntilAsync(text), $"the connection ended before '{text}' came: {Text}");

    /// <summary>False where the connection ended before the text came.</summary>
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

    /// <summary>Reads until the other side has closed or cut the connection.</summary>
    public async Task ReadToEndAsync()
    {
        while (await ReadAsync())
        {
            // see above
        }
    }

    /// <summary>Cuts the connection without a farewell.</summary>
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
            var count = await _stream.ReadAsync(buffer, TestContext.Current.CancellationToken).AsTask().WaitAsync(AgentExecutorProgram.Limit);
            _read.Append(Encoding.UTF8.GetString(buffer, 0, count));
            return count > 0;
        }
        catch (IOException)
        {
            return false; // cut
        }
    }
}
