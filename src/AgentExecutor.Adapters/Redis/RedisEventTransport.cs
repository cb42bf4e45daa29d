using System.Buffers.Text;
using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Adapters.Connections;
using AgentExecutor.Adapters.Redis.Protocol;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Live events over a Redis-compatible server: each thread has a channel, and a bounded stream that expires. An entry's id is the event's number, so the server itself
/// keeps each event once and in order, whoever sends it.
/// </summary>
internal sealed class RedisEventTransport : IEventTransport
{
    /// <summary>Entries in one answer.</summary>
    private const int PageSize = 200;

    private readonly StreamSettings _stream;
    private readonly RedisConnection _connection;
    private readonly RedisConnection _reads;
    private readonly RedisSubscriber _subscriber;
    private readonly ILogger _logger;
    private int _isRefusing;

    /// <exception cref="FaultException">The URL is none.</exception>
    public RedisEventTransport(RedisSettings settings, StreamSettings stream, TimeProvider time, ILoggerFactory loggers)
    {
        Describe(settings);
        _stream = stream;
        _logger = loggers.CreateLogger<RedisEventTransport>();
        var outage = new OutageLog(time, reason => Log.Unavailable(_logger, reason), seconds => Log.Back(_logger, seconds));
        _connection = new RedisConnection(settings, outage, time, _logger);
        _reads = new RedisConnection(settings, outage, time, _logger); // of its own: those who read the past are many, and must not stand before what is published
        _subscriber = new RedisSubscriber(settings, outage, time, _logger);
    }

    public bool IsConnected => _connection.IsConnected;

    /// <summary>The server by host and port.</summary>
    /// <exception cref="FaultException">The URL is none.</exception>
    public static string Describe(RedisSettings settings)
    {
        try
        {
            return RedisEndpoint.Of(settings).ToString();
        }
        catch (RedisException exception)
        {
            throw new FaultException("invalid_settings", exception.Message, "write redis://HOST:PORT", exception);
        }
    }

    public async ValueTask<int> PublishAsync(IReadOnlyList<(string ThreadId, StreamEvent Event)> events, CancellationToken cancellationToken)
    {
        var (taken, error) = (0, (string?)null);
        for (var start = 0; start < events.Count;)
        {
            var batch = new EventBatch(events, start, _stream);
            var errors = await RunAsync(_connection.SendAllAsync(batch, batch.Commands, static (output, batch) => batch.Write(output), cancellationToken));
            taken += batch.Taken(errors, out var found);
            error ??= found;
            start = batch.End;
        }
        Tell(error);
        return taken;
    }

    public Task ConnectedAsync(CancellationToken cancellationToken) => RunAsync(_connection.ConnectedAsync(cancellationToken));

    public Task SubscribeAsync(string threadId, Action<StreamEvent> receive, Action restored, CancellationToken cancellationToken) => RunAsync(_subscriber.SubscribeAsync(
        RedisKeys.ChannelOf(threadId),
        message =>
        {
            if (EventHead.TryRead(message.Payload, out var value))
            {
                receive(value);
            }
        },
        restored,
        cancellationToken));

    public void Unsubscribe(string threadId) => _subscriber.Unsubscribe(RedisKeys.ChannelOf(threadId));

    public async ValueTask<ImmutableArray<StreamEvent>> ReadAsync(string threadId, long after, long upTo, CancellationToken cancellationToken)
    {
        var events = ImmutableArray.CreateBuilder<StreamEvent>();
        var from = $"{Math.Min(Math.Max(after, 0), long.MaxValue - 1) + 1}-0";
        var to = upTo == long.MaxValue ? "+" : $"{Math.Max(upTo, 0)}-0";
        while (true)
        {
            var page = await RunAsync(_reads.SendAsync(
                ["XRANGE", RedisKeys.StreamOf(threadId), from, to, "COUNT", PageSize.ToString(CultureInfo.InvariantCulture)], cancellationToken));
            foreach (var entry in page.Items)
            {
                if (EventOf(entry) is { } value)
                {
                    events.Add(value);
                }
            }
            if (page.Items.Count < PageSize || Following(page.Items[^1]) is not { } next)
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

    /// <summary>Null for an entry that we did not put there.</summary>
    private static StreamEvent? EventOf(RespValue entry)
    {
        if (entry.Items is not [var id, var fields] || IdOf(id) is not (var sequence, 0) || sequence > long.MaxValue)
        {
            return null;
        }
        for (var index = 0; index + 1 < fields.Items.Count; index += 2)
        {
            var json = fields.Items[index + 1].Bytes;
            if (fields.Items[index].Bytes.Span.SequenceEqual(RedisKeys.Field))
            {
                return EventHead.TypeOf(json.Span) is { } type ? new StreamEvent((long)sequence, type, json) : null;
            }
        }
        return null;
    }

    /// <summary>The least id behind an entry's; null where there is none.</summary>
    private static string? Following(RespValue entry) => entry.Items is [var id, ..] && IdOf(id) is (var number, var part) && part < ulong.MaxValue
        ? $"{number}-{part + 1}"
        : null;

    private static (ulong Number, ulong Part)? IdOf(RespValue id)
    {
        var text = id.Bytes.Span;
        return Utf8Parser.TryParse(text, out ulong number, out var used) && used < text.Length && text[used] == '-'
            && Utf8Parser.TryParse(text[(used + 1)..], out ulong part, out var last) && used + 1 + last == text.Length
            ? (number, part)
            : null;
    }

    /// <summary>Once where the server begins to refuse events, however many it refuses.</summary>
    private void Tell(string? error)
    {
        if (error is null)
        {
            Volatile.Write(ref _isRefusing, 0);
        }
        else if (Interlocked.Exchange(ref _isRefusing, 1) == 0)
        {
            Log.NotTaken(_logger, error);
        }
    }

    private static async Task<T> RunAsync<T>(Task<T> call)
    {
        try
        {
            return await call;
        }
        catch (RedisException exception)
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
        catch (RedisException exception)
        {
            throw FaultOf(exception);
        }
    }

    private static FaultException FaultOf(RedisException exception) => new(
        FaultCodes.StreamUnavailable, $"live events are not available: {exception.Message}", exception.IsTransient ? "it is tried again by itself" : null, exception)
    {
        IsTransient = exception.IsTransient,
    };
}
