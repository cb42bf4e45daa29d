using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AgentExecutor.Tests.Commands.Watching;

/// <summary>
/// A service that answers its connections one after another with exactly the given bytes. After the last answer it accepts no more
/// connections.
/// </summary>
internal sealed class ScriptedService : IAsyncDisposable
{
    private const string Chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _over = new();
    private readonly Task _serving;

    public ScriptedService(params Func<Connection, Task>[] answers)
    {
        _listener.Start();
        Url = new Uri($"http://{_listener.LocalEndpoint}");
        _serving = ServeAsync(answers);
    }

    public Uri Url { get; }

    /// <summary>The header <c>Last-Event-ID</c> of each request; "-" if there was none.</summary>
    public ConcurrentQueue<string> Seen { get; } = new();

    /// <summary>Sends the text as a stream of events and ends the response properly.</summary>
    public static Func<Connection, Task> Events(string text) =>
        async connection =>
        {
            await connection.SendAsync(Chunked);
            await connection.SendChunkAsync(text);
            await connection.SendAsync("0\r\n\r\n");
        };

    /// <summary>Sends the text and closes the connection in the middle of the response.</summary>
    public static Func<Connection, Task> Broken(string text) =>
        async connection =>
        {
            await connection.SendAsync(Chunked);
            await connection.SendChunkAsync(text);
        };

    /// <summary>Sends the text and keeps the connection open without sending anything else.</summary>
    public static Func<Connection, Task> Hanging(string text) =>
        async connection =>
        {
            await Broken(text)(connection);
            await connection.ReadToEndAsync();
        };

    /// <summary>Sends one comment every 50 ms, and then the text.</summary>
    public static Func<Connection, Task> Murmuring(int comments, string text) =>
        async connection =>
        {
            await connection.SendAsync(Chunked);
            for (var i = 0; i < comments; i++)
            {
                await Task.Delay(50);
                await connection.SendChunkAsync(": heartbeat\n\n");
            }
            await connection.SendChunkAsync(text);
            await connection.SendAsync("0\r\n\r\n");
        };

    public static Func<Connection, Task> Status(string status, string contentType, string body) =>
        connection =>
            connection.SendAsync(
                $"HTTP/1.1 {status}\r\nContent-Type: {contentType}\r\n"
                    + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"
            );

    public static Func<Connection, Task> NoContent { get; } =
        connection => connection.SendAsync("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _listener.Stop();
        await _serving;
        _over.Dispose();
    }

    private async Task ServeAsync(Func<Connection, Task>[] answers)
    {
        foreach (var answer in answers)
        {
            try
            {
                using var client = await _listener.AcceptTcpClientAsync(_over.Token);
                var connection = new Connection(client.GetStream(), _over.Token);
                Seen.Enqueue(await connection.ReadRequestAsync());
                await answer(connection);
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException)
            {
                // The client has disconnected, or the test has ended.
            }
        }
        _listener.Stop();
    }

    public sealed class Connection(NetworkStream stream, CancellationToken over)
    {
        private readonly byte[] _buffer = new byte[4096];

        public async Task SendAsync(string text) => await stream.WriteAsync(Encoding.UTF8.GetBytes(text), over);

        public Task SendChunkAsync(string text) => SendAsync($"{Encoding.UTF8.GetByteCount(text):x}\r\n{text}\r\n");

        public async Task ReadToEndAsync()
        {
            while (await stream.ReadAsync(_buffer, over) > 0)
            {
                // The client has disconnected.
            }
        }

        public async Task<string> ReadRequestAsync()
        {
            var text = "";
            while (!text.EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                text += Encoding.ASCII.GetString(_buffer, 0, await stream.ReadAsync(_buffer, over));
            }
            return text.Split("\r\n")
                    .FirstOrDefault(line => line.StartsWith("Last-Event-ID: ", StringComparison.OrdinalIgnoreCase))
                    ?["Last-Event-ID: ".Length..]
                ?? "-";
        }
    }
}
