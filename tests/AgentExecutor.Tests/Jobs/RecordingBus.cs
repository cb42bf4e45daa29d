using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Jobs;

/// <summary>A bus in memory that keeps in which order it was used, and fails where a test says so.</summary>
public sealed class RecordingBus(IEventBus inner) : IEventBus
{
    /// <summary>What was done with it, each line when it had taken effect, but for acknowledgements: <c>published SUBJECT ID</c>, <c>ack SEQUENCE</c>, <c>nak</c>, <c>term</c>, <c>fetched</c>, <c>read N</c>.</summary>
    public ConcurrentQueue<string> Lines { get; } = new();

    /// <summary>Told of messages before they are published; what it throws the publisher gets.</summary>
    public Action<ImmutableArray<BusMessage>> BeforePublish { get; set; } = _ => { };

    /// <summary>Told of messages that are stored; what it throws the publisher gets all the same.</summary>
    public Action<ImmutableArray<BusMessage>> AfterPublish { get; set; } = _ => { };

    public TimeSpan DuplicateWindow { get; set; } = inner.DuplicateWindow;

    public bool IsConnected => inner.IsConnected;

    public int MaxBodyBytes { get; set; } = inner.MaxBodyBytes;

    /// <summary>Body and headers, as NATS counts.</summary>
    public int MaxMessageBytes { get; set; } = int.MaxValue;

    public static FaultException Away => new(FaultCodes.BusUnavailable, "the bus is away") { IsTransient = true };

    public async ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        if (messages.Any(message => message.Body.Length + message.Headers.Sum(header => header.Key.Length + header.Value.Length + 4) > MaxMessageBytes))
        {
            throw new FaultException(FaultCodes.MessageTooLarge, "too large");
        }
        BeforePublish(messages);
        await inner.PublishAsync(messages, cancellationToken);
        foreach (var message in messages)
        {
            Lines.Enqueue($"published {message.Subject} {message.Id}");
        }
        AfterPublish(messages);
    }

    public async ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken)
    {
        var deliveries = await inner.FetchAsync(atMost, wait, cancellationToken);
        return [.. deliveries.Select(delivery => (IDelivery)new Delivery(this, delivery))];
    }

    public async ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken)
    {
        var read = await inner.ReadAsync(query, cancellationToken);
        Lines.Enqueue($"read {read.Length}");
        return read;
    }

    public ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) => inner.DeleteAsync(stream, sequence, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class Delivery(RecordingBus bus, IDelivery inner) : IDelivery
    {
        public StoredMessage Message => inner.Message;

        public int Attempt => inner.Attempt;

        public ValueTask AckAsync(CancellationToken cancellationToken) => Record("ack", inner.AckAsync(cancellationToken));

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) => Record("nak", inner.NakAsync(delay, cancellationToken));

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) => Record("term", inner.TermAsync(reason, cancellationToken));

        public ValueTask InProgressAsync(CancellationToken cancellationToken) => Record("progress", inner.InProgressAsync(cancellationToken));

        private ValueTask Record(string what, ValueTask done)
        {
            bus.Lines.Enqueue($"{what} {Message.Sequence}");
            return done;
        }
    }
}
