using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Server.Api;

namespace AgentExecutor.Server.Commands.Watching;

/// <summary>
/// A thread's events from a service, each once and in order, to the run's end, however often the connection breaks. An end counts once the service says that nothing follows:
/// what is told of old may hold earlier ends, at which the thread waited for a person.
/// </summary>
/// <param name="notice">Told of an outage and of its end, once each.</param>
internal sealed class ThreadWatch(HttpClient http, Uri service, string threadId, long after, WatchPatience patience, TimeProvider time, Action<string> notice)
{
    private int _tries;
    private bool _hasAnswered;
    private bool _hasConnected;
    private bool _isAway;
    private bool _isAtEnd;

    /// <summary>The number of the last event that was read.</summary>
    public long Last { get; private set; } = after;

    /// <exception cref="FaultException">There is no such thread, or no longer; or at the first try: there is no service, or it refuses.</exception>
    public async IAsyncEnumerable<StreamEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await ConnectAsync(cancellationToken) is { } opened)
        {
            await using var connection = opened;
            while (await connection.NextAsync(cancellationToken) is { } told)
            {
                if (told.Sequence > Last && Take(told))
                {
                    yield return told;
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

    /// <summary>Whether it can be shown. Garbage has been seen as well: it would come again.</summary>
    private bool Take(StreamEvent told)
    {
        (Last, _isAtEnd, _tries) = (told.Sequence, told.IsEnd, 0);
        try
        {
            JsonElement.Parse(told.Json.Span);
            return true;
        }
        catch (JsonException)
        {
            notice($"event {told.Sequence} is no JSON, and is left out");
            return false;
        }
    }

    /// <summary>Null where nothing more comes.</summary>
    private async Task<EventConnection?> ConnectAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_hasAnswered)
            {
                await Task.Delay(patience.Before(_tries++), time, cancellationToken);
            }
            try
            {
                var connection = await OpenAsync(cancellationToken);
                TellBack();
                return connection;
            }
            catch (FaultException) when (_isAtEnd)
            {
                return null; // the end was told, and broke off before its last word
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.UnknownThread && _hasConnected)
            {
                throw Deleted();
            }
            catch (FaultException fault) when (IsPassing(fault))
            {
                TellAway(fault.Message);
            }
        }
    }

    /// <summary>A proxy says many things while the service behind it starts again; what the service itself refuses it goes on to refuse.</summary>
    private bool IsPassing(FaultException fault) => _hasAnswered
        && (fault.IsTransient || (_hasConnected && fault.Code is not (FaultCodes.UnknownThread or FaultCodes.InvalidInput or FaultCodes.OriginRefused)));

    private async Task<EventConnection?> OpenAsync(CancellationToken cancellationToken)
    {
        var response = await SendAsync(cancellationToken);
        _hasAnswered = true;
        EventConnection? connection = null;
        try
        {
            if (response.StatusCode == HttpStatusCode.NoContent)
            {
                return null;
            }
            if (!response.IsSuccessStatusCode)
            {
                throw await ServiceAnswers.ReadFaultAsync(response, cancellationToken);
            }
            if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
            {
                throw new FaultException(
                    FaultCodes.BusUnavailable, $"what answers at {ServiceAnswers.Name(service)} has no events of threads", "name the service with --to URL");
            }
            connection = await EventConnection.OpenAsync(response, patience.Silence, time, cancellationToken);
            _hasConnected = true;
            return connection;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw ServiceAnswers.None(service, exception); // it broke off while it said what is wrong
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
        using var waiting = new CancellationTokenSource(patience.Answer, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, waiting.Token);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
        }
        catch (HttpRequestException exception)
        {
            throw ServiceAnswers.None(service, exception);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw ServiceAnswers.None(service, new TimeoutException($"nothing came for {patience.Answer.TotalSeconds:0.#} s"));
        }
    }

    private FaultException Deleted() => new(FaultCodes.UnknownThread, $"the thread '{threadId}' was deleted while it was watched");

    private void TellAway(string why)
    {
        if (!_isAway)
        {
            _isAway = true;
            notice($"{why}; trying again until it answers");
        }
    }

    private void TellBack()
    {
        if (_isAway)
        {
            _isAway = false;
            notice($"{ServiceAnswers.Name(service)} is back");
        }
    }
}
