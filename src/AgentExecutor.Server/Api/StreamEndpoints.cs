using System.Globalization;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Streaming;
using AgentExecutor.Server.View;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace AgentExecutor.Server.Api;

/// <summary>The routes for the past and live events of a thread, as server-sent events or over a WebSocket.</summary>
internal sealed class StreamEndpoints(LiveEvents live, ReadLimit reads, StreamSettings settings, TimeProvider time)
{
    private const string LastEventId = "Last-Event-ID";

    private readonly TimeSpan _heartbeat = TimeSpan.FromSeconds(settings.HeartbeatSeconds);

    public static void Map(WebApplication app)
    {
        app.MapStoreRead<StreamEndpoints>("/threads/{thread_id}/events", static (streams, context) => streams.EventsAsync(context));
        app.MapStoreRead<StreamEndpoints>(
            "/deepagents-runtime/stream/{thread_id}",
            static (streams, context) => streams.SocketAsync(context)
        );
    }

    /// <summary>
    /// Sends server-sent events. Responds with 204 if the run has ended and the client has seen all events, so that a browser does not
    /// reconnect.
    /// </summary>
    public async Task EventsAsync(HttpContext context)
    {
        var (threadId, after) = (Requests.ThreadId(context), ReadAfter(context));
        await using var watch = await OpenAsync(context, threadId, after);
        if (watch.IsOver)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no"; // otherwise nginx buffers the events
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var writer = new ServerSentEvents(response.BodyWriter);
        await writer.BeginAsync(threadId, after, context.RequestAborted);
        await foreach (var events in watch.ReadAsync(context.RequestAborted))
        {
            await writer.WriteAsync(events, context.RequestAborted);
        }
        await writer.EndAsync(watch, context.RequestAborted);
    }

    /// <summary>
    /// Sends each event as a text frame. Closes the connection normally after the last event, with 1013 if the client was too slow, and
    /// with 1012 if the service shuts down.
    /// </summary>
    public async Task SocketAsync(HttpContext context)
    {
        var (threadId, after) = (Requests.ThreadId(context), ReadAfter(context));
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.Headers.Upgrade = "websocket";
            throw new FaultException(
                FaultCodes.UpgradeRequired,
                "this route requires a WebSocket",
                $"connect with a WebSocket, or GET /threads/{threadId}/events for server-sent events"
            );
        }
        await using var watch = await OpenAsync(context, threadId, after);
        using var socket = await context.WebSockets.AcceptWebSocketAsync(
            new WebSocketAcceptContext { KeepAliveInterval = _heartbeat, KeepAliveTimeout = SocketFrames.ClientTimeout }
        );
        await new SocketFrames(socket, time).SendAsync(watch, context.RequestAborted);
    }

    private async Task<Watch> OpenAsync(HttpContext context, string threadId, long after)
    {
        using var deadline = Requests.Deadline(context);
        using var turn = await reads.EnterAsync(context, deadline.Token);
        return await live.WatchAsync(threadId, after, deadline.Token);
    }

    /// <summary>The header takes precedence, because a browser sends it with the URL of the first request when it reconnects.</summary>
    private static long ReadAfter(HttpContext context)
    {
        var seen = context.Request.Headers[LastEventId].ToString();
        return seen.Length > 0 ? Read(LastEventId, seen) : Read("after", context.Request.Query["after"].ToString());
    }

    private static long Read(string name, string text) =>
        text.Length == 0 ? 0
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var after) ? after
        : throw new FaultException(
            FaultCodes.InvalidInput,
            $"{name}: '{EventText.Short(text, 40)}' is not the number of an event",
            "use the id of the last event that was received, or omit it to start with the first event"
        );
}
