using System.Net.WebSockets;
using AgentExecutor.Core.Streaming;

namespace AgentExecutor.Server.Api;

/// <summary>
/// Sends events to a watcher over a WebSocket. Frames of the client are only read to notice when it closes the connection.
/// </summary>
internal sealed class SocketFrames(WebSocket socket, TimeProvider time)
{
    private const WebSocketCloseStatus ServiceRestart = (WebSocketCloseStatus)1012;
    private const WebSocketCloseStatus TryAgainLater = (WebSocketCloseStatus)1013;

    /// <summary>
    /// How long a client may read nothing, or not answer, before the connection is closed. The client then loses the data that it has not
    /// read, so the time is long.
    /// </summary>
    public static readonly TimeSpan ClientTimeout = TimeSpan.FromSeconds(30);

    /// <summary>The slowest supported connection in bytes per second. It determines how long a large frame may take.</summary>
    private const double MinBytesPerSecond = 8 * 1024;

    public async Task SendAsync(Watch watch, CancellationToken aborted)
    {
        using var left = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        var listening = ListenAsync(left);
        try
        {
            await foreach (var events in watch.ReadAsync(left.Token))
            {
                foreach (var value in events)
                {
                    await SendAsync(value.Json, left.Token);
                }
            }
            await CloseAsync(watch, listening);
        }
        catch (Exception exception) when (exception is OperationCanceledException or WebSocketException)
        {
            await AnswerCloseAsync(); // the client has disconnected, or reads nothing; it can reconnect
        }
        finally
        {
            socket.Abort(); // this has no effect after a normal close
            await listening;
        }
    }

    private async Task AnswerCloseAsync()
    {
        if (socket.State == WebSocketState.CloseReceived)
        {
            using var limit = new CancellationTokenSource(ClientTimeout, time);
            await socket
                .CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Sends a frame. The send itself is never cancelled, because this would abort the socket, and a client that closes the connection
    /// normally would receive no answer. Instead, this method stops waiting for it.
    /// </summary>
    private async Task SendAsync(ReadOnlyMemory<byte> json, CancellationToken left)
    {
        var sending = socket.SendAsync(json, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        if (sending.IsCompletedSuccessfully)
        {
            return;
        }
        try
        {
            await sending.AsTask().WaitAsync(ClientTimeout + TimeSpan.FromSeconds(json.Length / MinBytesPerSecond), time, left);
        }
        catch (TimeoutException)
        {
            socket.Abort();
            throw new OperationCanceledException("the client reads nothing");
        }
    }

    /// <summary>Closes the connection with the reason, and gives the client time to read everything and to answer.</summary>
    private async Task CloseAsync(Watch watch, Task listening)
    {
        var (status, reason) = watch.End switch
        {
            WatchEnd.TooSlow => (TryAgainLater, $"too slow: reconnect with ?after={watch.Last}"),
            WatchEnd.Stopping => (ServiceRestart, $"the service shuts down: reconnect with ?after={watch.Last}"),
            WatchEnd.Failed => (WebSocketCloseStatus.InternalServerError, $"the events cannot be read: reconnect with ?after={watch.Last}"),
            WatchEnd.ThreadDeleted => (WebSocketCloseStatus.NormalClosure, "the thread was deleted"),
            _ => (WebSocketCloseStatus.NormalClosure, "the run has ended"),
        };
        using var limit = new CancellationTokenSource(ClientTimeout, time);
        await socket.CloseOutputAsync(status, reason, limit.Token);
        await listening.WaitAsync(limit.Token);
    }

    /// <summary>Completes when the client closes the connection.</summary>
    private async Task ListenAsync(CancellationTokenSource left)
    {
        var ignored = new byte[1024];
        try
        {
            while ((await socket.ReceiveAsync(ignored.AsMemory(), CancellationToken.None)).MessageType != WebSocketMessageType.Close)
            {
                // frames of the client have no meaning
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // the connection is broken
        }
        await left.CancelAsync();
    }
}
