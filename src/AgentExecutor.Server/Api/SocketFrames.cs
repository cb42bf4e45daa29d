using System.Net.WebSockets;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.Api;

/// <summary>Sends a watcher's events over a WebSocket, and reads what the other side sends only to know when it leaves.</summary>
internal sealed class SocketFrames(WebSocket socket, TimeProvider time)
{
    private const WebSocketCloseStatus ServiceRestart = (WebSocketCloseStatus)1012;
    private const WebSocketCloseStatus TryAgainLater = (WebSocketCloseStatus)1013;

    /// <summary>A reader that takes nothing for so long, or answers nothing, is not waited for. What it has yet to read is lost to it when the connection is cut, so it is no short time.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Bytes a second of the slowest line that a large frame is waited for.</summary>
    private const double LowestRate = 8 * 1024;

    public async Task SendAsync(Watch watch, CancellationToken aborted)
    {
        using var left = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        var listening = ListenAsync(left);
        try
        {
            await foreach (var told in watch.ReadAsync(left.Token))
            {
                foreach (var value in told)
                {
                    await SendAsync(value.Json, left.Token);
                }
            }
            await CloseAsync(watch, listening);
        }
        catch (Exception exception) when (exception is OperationCanceledException or WebSocketException)
        {
            await AnswerCloseAsync(); // the other side left, or takes nothing: it may come again
        }
        finally
        {
            socket.Abort(); // where it was closed in order, this changes nothing
            await listening;
        }
    }

    private async Task AnswerCloseAsync()
    {
        if (socket.State == WebSocketState.CloseReceived)
        {
            using var limit = new CancellationTokenSource(Patience, time);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>A frame that is broken off takes the socket with it, and whoever closed in order would get no answer: it is waited for no longer, and goes out all the same.</summary>
    private async Task SendAsync(ReadOnlyMemory<byte> json, CancellationToken left)
    {
        var sending = socket.SendAsync(json, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        if (sending.IsCompletedSuccessfully)
        {
            return;
        }
        try
        {
            await sending.AsTask().WaitAsync(Patience + TimeSpan.FromSeconds(json.Length / LowestRate), time, left);
        }
        catch (TimeoutException)
        {
            socket.Abort();
            throw new OperationCanceledException("the reader takes nothing");
        }
    }

    /// <summary>Says why it ends, and gives the other side time to read up to there and to answer.</summary>
    private async Task CloseAsync(Watch watch, Task listening)
    {
        var (status, reason) = watch.End switch
        {
            WatchEnd.TooSlow => (TryAgainLater, $"too slow: come again with ?after={watch.Last}"),
            WatchEnd.Stopping => (ServiceRestart, $"the service stops: come again with ?after={watch.Last}"),
            WatchEnd.Failed => (WebSocketCloseStatus.InternalServerError, $"the thread cannot be followed: come again with ?after={watch.Last}"),
            WatchEnd.ThreadDeleted => (WebSocketCloseStatus.NormalClosure, "the thread was deleted"),
            _ => (WebSocketCloseStatus.NormalClosure, "the run has ended"),
        };
        using var limit = new CancellationTokenSource(Patience, time);
        await socket.CloseOutputAsync(status, reason, limit.Token);
        await listening.WaitAsync(limit.Token);
    }

    /// <summary>Ends when the other side does.</summary>
    private async Task ListenAsync(CancellationTokenSource left)
    {
        var ignored = new byte[1024];
        try
        {
            while ((await socket.ReceiveAsync(ignored.AsMemory(), CancellationToken.None)).MessageType != WebSocketMessageType.Close)
            {
                // watchers have nothing to say
            }
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // it is gone
        }
        await left.CancelAsync();
    }
}
