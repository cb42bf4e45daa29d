using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Adapters.Connections;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Publishes live events over a Redis-compatible server. Each thread has a channel, and a stream that is bounded and expires. The id of an
/// entry is the sequence number of the event, so the server itself stores each event once and in order, regardless of the process that
/// publishes it.
/// </summary>
internal sealed class RedisEventTransport : IEventTransport
{
    /// <summary>The number of entries that one reply contains.</summary>
    private const int PageSize = 200;

    private readonly StreamSettings _stream;
    private readonly RedisConnection _connection;
    private readonly RedisConnection _reads;
    private readonly RedisSubscriber _subscriber;
    private readonly ILogger _logger;
    private int _isRejecting;

    /// <exception cref="FaultException">The URL is not valid.</exception>
    public RedisEventTransport(RedisSettings settings, StreamSettings stream, TimeProvider time, ILoggerFactory loggers)
    {
        Describe(settings);
        _stream = stream;
        _logger = loggers.CreateLogger<RedisEventTransport>();
        var outage = new OutageLog(time, reason => Log.Unavailable(_logger, reason), seconds => Log.Back(_logger, seconds));
        _connection = new RedisConnection(settings, outage, time, _logger);
        // Reads have a connection of their own, so that large replies do not delay publishing.
        _reads = new RedisConnection(settings, outage, time, _logger);
        _subscriber = new RedisSubscriber(settings, outage, time, _logger);
    }

    public bool IsConnected => _connection.IsConnected;

    /// <summary>Returns the host and port of the server.</summary>
    /// <exception cref="FaultException">The URL is not valid.</exception>
    public static string Describe(RedisSettings settings)
    {
        try
        {
            return RedisEndpoint.Of(settings).ToString();
        }
        catch (RedisFaultException exception)
        {
            throw new FaultException("invalid_settings", exception.Message, "use redis://HOST:PORT", exception);
        }
    }

    public async ValueTask<int> PublishAsync(
        IReadOnlyList<(string ThreadId, StreamEvent Event)> events,
        CancellationToken cancellationToken
    )
    {
        var (accepted, error) = (0, (string?)null);
        var start = 0;
        while (start < events.Count)
        {
            var batch = new EventBatch(events, start, _stream);
            var errors = await RunAsync(_connection.SendAllAsync(batch.Queue, cancellationToken));
            accepted += batch.Accepted(errors, out var found);
            error ??= found;
            start = batch.End;
        }
        Report(error);
        return accepted;
    }

    public Task ConnectedAsync(CancellationToken cancellationToken) => RunAsync(_connection.ConnectedAsync(cancellationToken));

    public Task SubscribeAsync(string threadId, Action<StreamEvent> receive, Action restored, CancellationToken cancellationToken) =>
        RunAsync(
            _subscriber.SubscribeAsync(
                RedisKeys.ChannelOf(threadId),
                message =>
                {
                    if (EventHead.TryRead(message.Message, out var value))
                    {
                        receive(value);
                    }
                },
                restored,
                cancellationToken
            )
        );

    public void Unsubscribe(string threadId) => _subscriber.Unsubscribe(RedisKeys.ChannelOf(threadId));

    public async ValueTask<ImmutableArray<StreamEvent>> ReadAsync(
        string threadId,
        long after,
        long upTo,
        CancellationToken cancellationToken
    )
    {
        var events = ImmutableArray.CreateBuilder<StreamEvent>();
        var stream = RedisKeys.StreamOf(threadId);
        var from = $"{Math.Min(Math.Max(after, 0), long.MaxValue - 1) + 1}-0";
        var to = upTo == long.MaxValue ? "+" : $"{Math.Max(upTo, 0)}-0";
        while (true)
        {
            var page = await RunAsync(
                _reads.SendAsync(database => database.StreamRangeAsync(stream, from, to, PageSize), cancellationToken)
            );
            foreach (var entry in page)
            {
                if (EventOf(entry) is { } value)
                {
                    events.Add(value);
                }
            }
            if (page.Length < PageSize || Following(page[^1]) is not { } next)
            {
                return events.DrainToImmutable();
            }
            from = next;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _subscriber.DisposeAsync();
        await _reads.DisposeAsync();
        await _connection.DisposeAsync();
    }

    /// <summary>Returns null for an entry that AgentExecutor has not written.</summary>
    private static StreamEvent? EventOf(StreamEntry entry)
    {
        if (IdOf(entry) is not (var sequence, 0) || sequence > long.MaxValue)
        {
            return null;
        }
        foreach (var field in entry.Values)
        {
            if (field.Name == RedisKeys.Field)
            {
                ReadOnlyMemory<byte> json = field.Value;
                return EventHead.TypeOf(json.Span) is { } type
                    ? new StreamEvent((long)sequence, type, json) { Attempt = EventHead.AttemptOf(json.Span) }
                    : null;
            }
        }
        return null;
    }

    /// <summary>The smallest id after the entry's own; null if there is none.</summary>
    private static string? Following(StreamEntry entry) =>
        IdOf(entry) is (var number, var part) && part < ulong.MaxValue ? $"{number}-{part + 1}" : null;

    private static (ulong Number, ulong Part)? IdOf(StreamEntry entry)
    {
        var text = entry.Id.ToString().AsSpan();
        var dash = text.IndexOf('-');
        return
            dash > 0
            && ulong.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && ulong.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var part)
            ? (number, part)
            : null;
    }

    /// <summary>Logs once that the server begins to reject events, however many it rejects.</summary>
    private void Report(string? error)
    {
        if (error is null)
        {
            Volatile.Write(ref _isRejecting, 0);
        }
        else if (Interlocked.Exchange(ref _isRejecting, 1) == 0)
        {
            Log.EventsRejected(_logger, error);
        }
    }

    private static async Task<T> RunAsync<T>(Task<T> call)
    {
        try
        {
            return await call;
        }
        catch (RedisFaultException exception)
        {
            throw FaultOf(exception);
        }
    }

    private static async Task RunAsync(Task call)
    {
        try
        {
            await call;
        }
        catch (RedisFaultException exception)
        {
            throw FaultOf(exception);
        }
    }

    private static FaultException FaultOf(RedisFaultException exception) =>
        new(
            FaultCodes.StreamUnavailable,
            $"live events are not available: {exception.Message}",
            exception.IsTransient ? "AgentExecutor tries again automatically" : null,
            exception
        )
        {
            IsTransient = exception.IsTransient,
        };
}
