using System.Globalization;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace AgentExecutor.Server.Api;

/// <summary>A thread's events as they happen, and those from before: as server-sent events, or as frames of a WebSocket.</summary>
internal sealed class StreamEndpoints(ServiceGate gate, Origins origins, TimeSpan heartbeat, TimeProvider time)
{
    private const string LastEventId = "Last-Event-ID";

    /// <summary>204 where the run has ended and all of it was seen: a browser then asks no more.</summary>
    public async Task EventsAsync(HttpContext context)
    {
        var (threadId, after) = (Requests.ThreadId(context), ReadAfter(context));
        origins.Check(context);
        await using var watch = await OpenAsync(context, threadId, after);
        if (watch.IsOver)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no"; // else nginx holds events back
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var events = new ServerSentEvents(response.BodyWriter);
        await events.BeginAsync(threadId, after, context.RequestAborted);
        await foreach (var told in watch.ReadAsync(context.RequestAborted))
        {
            await events.WriteAsync(told, context.RequestAborted);
        }
        await events.EndAsync(watch, context.RequestAborted);
    }

    /// <summary>Each event as a text frame; closes normally after the end, with 1013 where the reader was too slow, with 1012 where the service stops.</summary>
    public async Task SocketAsync(HttpContext context)
    {
        var (threadId, after) = (Requests.ThreadId(context), ReadAfter(context));
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.Headers.Upgrade = "websocket";
            throw new FaultException(FaultCodes.UpgradeRequired, "this route speaks WebSocket", $"connect with a WebSocket, or GET /threads/{threadId}/events for server-sent events");
        }
        origins.Check(context);
        await using var watch = await OpenAsync(context, threadId, after);
        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { KeepAliveInterval = heartbeat, KeepAliveTimeout = SocketFrames.Patience });
        await new SocketFrames(socket, time).SendAsync(watch, context.RequestAborted);
    }

    private async Task<Watch> OpenAsync(HttpContext context, string threadId, long after)
    {
        using var deadline = Requests.Deadline(context);
        return await gate.Require().Live.WatchAsync(threadId, after, deadline.Token);
    }

    /// <summary>What a browser has seen counts for more than what the page asked for at first.</summary>
    private static long ReadAfter(HttpContext context)
    {
        var seen = context.Request.Headers[LastEventId].ToString();
        return seen.Length > 0 ? Read(LastEventId, seen) : Read("after", context.Request.Query["after"].ToString());
    }

    private static long Read(string name, string text) => text.Length == 0 ? 0
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var after) ? after
        : throw new FaultException(FaultCodes.InvalidInput, $"{name}: '{View.EventText.Short(text, 40)}' is no event's number", "give the id of the last event that was seen, or leave it out to begin at the start");
}
