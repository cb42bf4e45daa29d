using System.Net;
using System.Net.WebSockets;
using System.Text;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Reads a thread's events from a WebSocket.</summary>
public sealed class SocketReader : IDisposable
{
    private readonly byte[] _buffer = new byte[64 * 1024];

    private SocketReader(ClientWebSocket socket) => Socket = socket;

    public ClientWebSocket Socket { get; }

    public static string Path(string thread, long? after = null) =>
        $"/deepagents-runtime/stream/{thread}{(after is null ? "" : $"?after={after}")}";

    public static async Task<SocketReader> OpenAsync(HttpClient http, string thread, long? after = null, string? origin = null)
    {
        var socket = new ClientWebSocket();
        if (origin is not null)
        {
            socket.Options.SetRequestHeader("Origin", origin);
        }
        socket.Options.CollectHttpResponseDetails = true;
        try
        {
            await socket
                .ConnectAsync(new Uri(new UriBuilder(http.BaseAddress!) { Scheme = "ws" }.Uri, Path(thread, after)), Cancel)
                .WaitAsync(AgentExecutorProgram.Limit);
        }
        catch (WebSocketException) when (socket.HttpStatusCode != default)
        {
            throw new RefusedException(socket.HttpStatusCode);
        }
        return new SocketReader(socket);
    }

    /// <summary>The next frame, or null if the server has closed or aborted the connection.</summary>
    public async Task<WatchedEvent?> NextAsync()
    {
        using var text = new MemoryStream();
        while (true)
        {
            try
            {
                var part = await Socket.ReceiveAsync(_buffer.AsMemory(), Cancel).AsTask().WaitAsync(AgentExecutorProgram.Limit);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    await Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
                    return null;
                }
                Assert.Equal(WebSocketMessageType.Text, part.MessageType);
                text.Write(_buffer, 0, part.Count);
                if (part.EndOfMessage)
                {
                    return WatchedEvent.Frame(Encoding.UTF8.GetString(text.ToArray()));
                }
            }
            catch (WebSocketException)
            {
                return null;
            }
        }
    }

    public async Task<List<WatchedEvent>> RestAsync()
    {
        var received = new List<WatchedEvent>();
        while (await NextAsync() is { } next)
        {
            received.Add(next);
        }
        return received;
    }

    /// <summary>Reads until the server closes the socket normally.</summary>
    public async Task<List<WatchedEvent>> ToEndAsync()
    {
        var received = await RestAsync();
        Assert.Equal(WebSocketCloseStatus.NormalClosure, Socket.CloseStatus);
        return received;
    }

    public void Dispose() => Socket.Dispose();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The server refused the handshake.</summary>
    public sealed class RefusedException(HttpStatusCode status) : Exception($"{status}")
    {
        public HttpStatusCode Status => status;
    }
}
