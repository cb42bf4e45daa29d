using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Watching;

/// <summary>One response with the events of a thread, until it ends or the connection breaks.</summary>
internal sealed class EventConnection : IAsyncDisposable
{
    private const string ClosedEvent = "closed";

    private readonly HttpResponseMessage _response;
    private readonly IAsyncEnumerator<SseItem<byte[]>> _items;

    private EventConnection(HttpResponseMessage response, Stream stream, CancellationToken cancellationToken)
    {
        _response = response;
        _items = SseParser
            .Create(stream, static (_, data) => data.ToArray())
            .EnumerateAsync(cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
    }

    /// <summary>The reason that the service gave for closing the stream, or null.</summary>
    public string? Closed { get; private set; }

    /// <summary>Why the connection broke; null if the response ended normally.</summary>
    public string? Broken { get; private set; }

    public static async Task<EventConnection> OpenAsync(
        HttpResponseMessage response,
        TimeSpan idle,
        TimeProvider time,
        CancellationToken cancellationToken
    ) => new(response, new TimeoutStream(await response.Content.ReadAsStreamAsync(cancellationToken), idle, time), cancellationToken);

    /// <summary>Returns the next event, or null at the end of the response. The parser skips an incomplete event.</summary>
    public async Task<StreamEvent?> NextAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await _items.MoveNextAsync())
            {
                var item = _items.Current;
                if (item.EventType == ClosedEvent)
                {
                    Closed = ReasonOf(item.Data);
                }
                else if (long.TryParse(item.EventId, NumberStyles.None, CultureInfo.InvariantCulture, out var sequence))
                {
                    return new StreamEvent(sequence, item.EventType, item.Data);
                }
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException && !cancellationToken.IsCancellationRequested)
        {
            Broken = exception.Message;
        }
        return null;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _items.DisposeAsync();
        }
        finally
        {
            _response.Dispose();
        }
    }

    private static string ReasonOf(byte[] data)
    {
        try
        {
            return StoredJson.Parse(data).TextProperty("reason") ?? "";
        }
        catch (JsonException)
        {
            return Encoding.UTF8.GetString(data);
        }
    }
}
