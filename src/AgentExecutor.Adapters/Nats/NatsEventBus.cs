using System.Collections.Immutable;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats;

/// <summary>The bus on JetStream: a stream each for jobs, results and dead letters, and one durable pull consumer that all workers share.</summary>
internal sealed class NatsEventBus : IEventBus
{
    /// <summary>Headers beside a body that must fit with it.</summary>
    private const int HeaderRoom = 8 * 1024;

    /// <summary>A shorter request needs no sign of life: its own end is one.</summary>
    private static readonly TimeSpan LeastHeard = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan LeastExpiry = TimeSpan.FromMilliseconds(100);

    private readonly NatsConnection _connection;
    private readonly JetStream _jetStream;
    private readonly NatsStreams _streams;
    private readonly TimeProvider _time;
    private JetStreamPuller? _puller;

    public NatsEventBus(NatsSettings settings, BusSettings bus, bool isClient, TimeProvider time, ILoggerFactory loggers)
    {
        _time = time;
        _connection = new NatsConnection(settings, time, loggers.CreateLogger<NatsConnection>());
        _jetStream = new JetStream(_connection);
        _streams = new NatsStreams(_jetStream, settings, bus, isClient, loggers.CreateLogger<NatsStreams>());
        _connection.Connected += _streams.Doubt;
    }

    /// <summary>The servers by host and port.</summary>
    public static string Describe(NatsSettings settings)
    {
        try
        {
            return string.Join(", ", NatsEndpoint.ParseSeeds(settings.Url.Value!).Select(endpoint => endpoint.ToString()));
        }
        catch (NatsException exception)
        {
            throw new FaultException("invalid_settings", exception.Message, "write nats://HOST:PORT, several with commas", exception);
        }
    }

    public TimeSpan DuplicateWindow => _streams.DuplicateWindow;

    public bool IsConnected => _connection.IsConnected;

    public int MaxBodyBytes => Math.Max(HeaderRoom, Math.Min(_connection.Info?.MaxPayload ?? int.MaxValue, _streams.MaxMessageBytes) - HeaderRoom);

    public async ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        foreach (var message in messages)
        {
            BusSubjects.StreamOf(message.Subject);
        }
        await RunAsync(
            async cancel =>
            {
                await _streams.EnsureAsync(cancel);
                await Task.WhenAll(messages.Select(message => _jetStream.PublishAsync(
                    message.Subject, message.Body, Headers(message), message.Id.Length > 0 ? new PublishExpectations { MsgId = message.Id } : PublishExpectations.None, cancel)));
                return true;
            },
            cancellationToken);
    }

    public async ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(wait, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var started = _time.GetTimestamp();
        try
        {
            while (true)
            {
                var left = wait - _time.GetElapsedTime(started);
                var messages = await RunAsync(cancel => PullAsync(atMost, left > LeastExpiry ? left : LeastExpiry, cancel), either.Token);
                if (messages.Count > 0)
                {
                    return [.. messages.Select(message => (IDelivery)new Delivery(this, message))];
                }
                either.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return []; // what comes yet is there for the next fetch
        }
        catch (OperationCanceledException)
        {
            await LetGoAsync();
            throw;
        }
    }

    public async ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken) => await RunAsync(
        async cancel =>
        {
            await _streams.EnsureAsync(cancel);
            return await NatsStreamReader.ReadAsync(_jetStream, _streams.NameOf(query.Stream), query, cancel);
        },
        cancellationToken);

    public async ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) => await RunAsync(
        async cancel =>
        {
            await _streams.EnsureAsync(cancel);
            var name = _streams.NameOf(stream);
            // Looked for first: the server answers a place beyond its end with an error of its file, not that there is none.
            return await _jetStream.GetMessageAsync(name, (ulong)sequence, cancel) is not null && await _jetStream.DeleteMessageAsync(name, (ulong)sequence, cancel);
        },
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await LetGoAsync();
        await _connection.DisposeAsync();
        _streams.Dispose();
    }

    /// <summary>Asks for what is not asked for yet, and takes what comes. Empty where the server gave the request up.</summary>
    private async Task<IReadOnlyList<JetStreamMessage>> PullAsync(int atMost, TimeSpan expires, CancellationToken cancellationToken)
    {
        await _streams.EnsureAsync(cancellationToken);
        var puller = _puller ??= _jetStream.Pull(_streams.NameOf(BusStream.Jobs), _streams.Consumer);
        var missing = atMost - puller.Outstanding - puller.Buffered;
        if (missing > 0)
        {
            await puller.RequestAsync(missing, expires, expires >= LeastHeard ? expires / 3 : TimeSpan.Zero, noWait: false, null, cancellationToken);
        }
        return await puller.ReadBatchAsync(atMost, cancellationToken);
    }

    /// <summary>Pulls no more, and returns what came and nobody has read.</summary>
    private async Task LetGoAsync()
    {
        if (Interlocked.Exchange(ref _puller, null) is not { } puller)
        {
            return;
        }
        try
        {
            while (puller.Buffered > 0)
            {
                foreach (var message in await puller.ReadBatchAsync(int.MaxValue, CancellationToken.None))
                {
                    await message.NakAsync(TimeSpan.Zero, CancellationToken.None);
                }
            }
        }
        catch (NatsException)
        {
            // the server hands them out again by itself
        }
        puller.Dispose();
    }

    private async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> use, CancellationToken cancellationToken)
    {
        try
        {
            return await use(cancellationToken);
        }
        catch (NatsException exception)
        {
            _streams.Failed(exception);
            throw Fault(exception);
        }
    }

    private static FaultException Fault(NatsException exception) => exception.Fault switch
    {
        NatsFault.PayloadTooLarge => new FaultException(FaultCodes.MessageTooLarge, exception.Message, "raise max_payload of the NATS server", exception),
        NatsFault.InvalidArgument => new FaultException(FaultCodes.UnknownSubject, exception.Message, null, exception),
        _ => new FaultException(FaultCodes.BusUnavailable, $"NATS: {exception.Message}", "see that the server of NATS_URL is up, with JetStream", exception) { IsTransient = true },
    };

    private static NatsHeaders? Headers(BusMessage message)
    {
        if (message.Headers.IsEmpty)
        {
            return null;
        }
        var headers = new NatsHeaders();
        foreach (var (name, value) in message.Headers)
        {
            headers.Add(name, value);
        }
        return headers;
    }

    private sealed class Delivery(NatsEventBus bus, JetStreamMessage message) : IDelivery
    {
        public StoredMessage Message { get; } = NatsStreamReader.Message(
            BusStream.Jobs, (long)message.Metadata.StreamSequence, message.Metadata.Timestamp, message.Subject, message.Headers, message.Payload);

        public int Attempt => (int)message.Metadata.Delivered;

        public ValueTask AckAsync(CancellationToken cancellationToken) => SettleAsync(() => message.AckAsync(cancellationToken));

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) => SettleAsync(() => message.NakAsync(delay, cancellationToken));

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) => SettleAsync(() => message.TermAsync(reason, cancellationToken));

        public ValueTask InProgressAsync(CancellationToken cancellationToken) => SettleAsync(() => message.InProgressAsync(cancellationToken));

        private async ValueTask SettleAsync(Func<ValueTask> settle) => await bus.RunAsync(
            async _ =>
            {
                await settle();
                return true;
            },
            CancellationToken.None);
    }
}
