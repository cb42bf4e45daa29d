using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Streaming;
using AgentExecutor.Server.Api;
using AgentExecutor.Server.Commands.Remote;

namespace AgentExecutor.Server.Commands.Watching;

/// <summary>
/// Reads the events of a thread from a service, each once and in order, until the run ends. Reconnects when the connection breaks. An end
/// event ends the watch only when the service then closes the stream, because the log can contain end events of earlier runs.
/// </summary>
/// <param name="notice">Is called when the service becomes unreachable, and when it is reachable again.</param>
internal sealed class ThreadWatch(
    HttpClient http,
    Uri service,
    string threadId,
    long after,
    WatchTimeouts timeouts,
    TimeProvider time,
    Action<string> notice
)
{
    private int _tries;
    private long _attempt; // the greatest attempt number so far
    private bool _hasResponded;
    private bool _hasConnected;
    private bool _isUnreachable;
    private bool _isAtEnd;

    /// <summary>The number of the last event that was read.</summary>
    public long Last { get; private set; } = after;

    /// <exception cref="FaultException">The thread does not exist or was deleted, or the first request failed or was rejected.</exception>
    public async IAsyncEnumerable<StreamEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await ConnectAsync(cancellationToken) is { } opened)
        {
            await using var connection = opened;
            while (await connection.NextAsync(cancellationToken) is { } next)
            {
                if (next.Sequence > Last && Take(next))
                {
                    yield return next;
                }
                else if (next.Sequence <= Last && next.IsEnd)
                {
                    _isAtEnd = true; // no event follows the requested number, so the service sends the whole log
                }
            }
            cancellationToken.ThrowIfCancellationRequested();
            if (connection.Closed == ServerSentEvents.ReasonOf(WatchEnd.ThreadDeleted))
            {
                throw Deleted();
            }
            if (_isAtEnd && connection is { Broken: null, Closed: null })
            {
                yield break;
            }
        }
    }

    /// <summary>
    /// Returns false for events that are not shown: those of a worker that has lost its lease, and invalid JSON. Invalid JSON counts as
    /// read, because the service would send it again.
    /// </summary>
    private bool Take(StreamEvent next)
    {
        try
        {
            var attempt =
                StoredJson.Parse(next.Json.Span).Property("attempt") is { ValueKind: JsonValueKind.Number } number
                && number.TryGetInt64(out var token)
                    ? token
                    : 0;
            if ((next with { Attempt = attempt }).IsSuperseded(_attempt))
            {
                return false;
            }
            (Last, _isAtEnd, _tries, _attempt) = (next.Sequence, next.IsEnd, 0, Math.Max(_attempt, attempt));
            return true;
        }
        catch (JsonException)
        {
            (Last, _isAtEnd, _tries) = (next.Sequence, next.IsEnd, 0);
            notice($"event {next.Sequence} is not valid JSON and is skipped");
            return false;
        }
    }

    /// <summary>Returns null when no more events follow.</summary>
    private async Task<EventConnection?> ConnectAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_hasResponded)
            {
                await Task.Delay(timeouts.DelayBefore(_tries++), time, cancellationToken);
            }
            try
            {
                var connection = await OpenAsync(cancellationToken);
                ReportReachable();
                return connection;
            }
            catch (FaultException) when (_isAtEnd)
            {
                return null; // the end event arrived before the connection broke
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.UnknownThread && _hasConnected)
            {
                throw Deleted();
            }
            catch (FaultException fault) when (ShouldRetry(fault))
            {
                ReportUnreachable(fault.Message);
            }
        }
    }

    /// <summary>
    /// Whether to retry. A proxy can return any error while the service restarts, but an error of the service itself is final.
    /// </summary>
    private bool ShouldRetry(FaultException fault) =>
        _hasResponded
        && (
            fault.IsTransient
            || (_hasConnected && fault.Code is not (FaultCodes.UnknownThread or FaultCodes.InvalidInput or FaultCodes.OriginRefused))
        );

    private async Task<EventConnection?> OpenAsync(CancellationToken cancellationToken)
    {
        var response = await SendAsync(cancellationToken);
        _hasResponded = true;
        EventConnection? connection = null;
        try
        {
            if (response.StatusCode == HttpStatusCode.NoContent)
            {
                return null;
            }
            if (!response.IsSuccessStatusCode)
            {
                throw await ServiceResponses.ReadFaultAsync(response, cancellationToken);
            }
            if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
            {
                throw new FaultException(
                    FaultCodes.BusUnavailable,
                    $"the server at {ServiceResponses.Name(service)} does not provide thread events",
                    "specify the service with --to URL"
                );
            }
            connection = await EventConnection.OpenAsync(response, timeouts.Idle, time, cancellationToken);
            _hasConnected = true;
            return connection;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw ServiceResponses.Unreachable(service, exception); // the connection broke during the error response
        }
        finally
        {
            if (connection is null)
            {
                response.Dispose();
            }
        }
    }

    private async Task<HttpResponseMessage> SendAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(service, $"/threads/{Uri.EscapeDataString(threadId)}/events"));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        if (Last > 0)
        {
            request.Headers.Add("Last-Event-ID", Last.ToString(CultureInfo.InvariantCulture));
        }
        using var waiting = new CancellationTokenSource(timeouts.Response, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, waiting.Token);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
        }
        catch (HttpRequestException exception)
        {
            throw ServiceResponses.Unreachable(service, exception);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw ServiceResponses.Unreachable(service, new TimeoutException($"no response for {timeouts.Response.TotalSeconds:0.#} s"));
        }
    }

    private FaultException Deleted() => new(FaultCodes.UnknownThread, $"the thread '{threadId}' was deleted during the watch");

    private void ReportUnreachable(string why)
    {
        if (!_isUnreachable)
        {
            _isUnreachable = true;
            notice($"{why}; retrying until the service answers");
        }
    }

    private void ReportReachable()
    {
        if (_isUnreachable)
        {
            _isUnreachable = false;
            notice($"{ServiceResponses.Name(service)} is reachable again");
        }
    }
}
