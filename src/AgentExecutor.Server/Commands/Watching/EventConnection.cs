using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Watching;

/// <summary>One answer with a thread's events, until it ends or breaks off.</summary>
internal sealed class EventConnection : IAsyncDisposable
{
    private const string ClosedEvent = "closed";

    private readonly HttpResponseMessage _response;
    private readonly IAsyncEnumerator<SseItem<byte[]>> _items;

    private EventConnection(HttpResponseMessage response, Stream stream, CancellationToken cancellationToken)
    {
        _response = response;
        _items = SseParser.Create(stream, static (_, data) => data.ToArray()).EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
    }

    /// <summary>Why the service sends no more, where it said so.</summary>
    public string? Closed { get; private set; }

    /// <summary>Why it broke off; null where it came to its end in order.</summary>
    public string? Broken { get; private set; }

    public static async Task<EventConnection> OpenAsync(HttpResponseMessage response, TimeSpan silence, TimeProvider time, CancellationToken cancellationToken) =>
        new(response, new LivelyStream(await response.Content.ReadAsStreamAsync(cancellationToken), silence, time), cancellationToken);

    /// <summary>The next event; null at the end, in order or not. The parser leaves out an event that breaks off in its midst.</summary>
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
            return JsonElement.Parse(data).TextProperty("reason") ?? "";
        }
        catch (JsonException)
        {
            return Encoding.UTF8.GetString(data);
        }
    }
}
