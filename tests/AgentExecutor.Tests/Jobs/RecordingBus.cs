using System.Collections.Concurrent;
using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Jobs;

/// <summary>An in-memory bus that records its calls in order and fails where a test requests it.</summary>
public sealed class RecordingBus(IEventBus inner) : IEventBus
{
    /// <summary>
    /// The calls in order: <c>published SUBJECT ID</c>, <c>ack SEQUENCE</c>, <c>nak</c>, <c>term</c>, <c>fetched</c>, <c>read N</c>. A call
    /// is recorded after it has taken effect, except for acknowledgements.
    /// </summary>
    public ConcurrentQueue<string> Lines { get; } = new();

    /// <summary>Called with the messages before they are published. Its exceptions are passed to the publisher.</summary>
    public Action<ImmutableArray<BusMessage>> BeforePublish { get; set; } = _ => { };

    /// <summary>Called with the messages after they were stored. Its exceptions are nevertheless passed to the publisher.</summary>
    public Action<ImmutableArray<BusMessage>> AfterPublish { get; set; } = _ => { };

    public TimeSpan DuplicateWindow { get; set; } = inner.DuplicateWindow;

    public TimeSpan AckWait => inner.AckWait;

    public bool IsConnected => inner.IsConnected;

    public int MaxBodyBytes { get; set; } = inner.MaxBodyBytes;

    /// <summary>The maximum size of body and headers together, as NATS counts them.</summary>
    public int MaxMessageBytes { get; set; } = int.MaxValue;

    /// <summary>How far the clock of the bus is ahead of the others.</summary>
    public TimeSpan Ahead { get; set; }

    public static FaultException Away => new(FaultCodes.BusUnavailable, "the bus is away") { IsTransient = true };

    public async ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        if (
            messages.Any(message =>
                message.Body.Length + message.Headers.Sum(header => header.Key.Length + header.Value.Length + 4) > MaxMessageBytes
            )
        )
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

    public ValueTask<ImmutableArray<IDelivery>> FetchInboxAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken) =>
        inner.FetchInboxAsync(atMost, wait, cancellationToken);

    public ValueTask OpenInboxAsync(CancellationToken cancellationToken) => inner.OpenInboxAsync(cancellationToken);

    public ValueTask AckAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        inner.AckAsync(Record("ack", deliveries), cancellationToken);

    public ValueTask InProgressAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        inner.InProgressAsync(Record("progress", deliveries), cancellationToken);

    private ImmutableArray<IDelivery> Record(string what, ImmutableArray<IDelivery> deliveries)
    {
        foreach (var delivery in deliveries)
        {
            Lines.Enqueue($"{what} {delivery.Message.Sequence}");
        }
        return [.. deliveries.Cast<Delivery>().Select(static delivery => delivery.Inner)];
    }

    public async ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken)
    {
        var read = await inner.ReadAsync(query, cancellationToken);
        Lines.Enqueue($"read {read.Length}");
        return read;
    }

    public ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) =>
        inner.DeleteAsync(stream, sequence, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class Delivery(RecordingBus bus, IDelivery inner) : IDelivery
    {
        public IDelivery Inner => inner;

        public StoredMessage Message { get; } = inner.Message with { Time = inner.Message.Time + bus.Ahead };

        public int Attempt => inner.Attempt;

        public ValueTask AckAsync(CancellationToken cancellationToken) => Record("ack", inner.AckAsync(cancellationToken));

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) =>
            Record("nak", inner.NakAsync(delay, cancellationToken));

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) =>
            Record("term", inner.TermAsync(reason, cancellationToken));

        public ValueTask InProgressAsync(CancellationToken cancellationToken) =>
            Record("progress", inner.InProgressAsync(cancellationToken));

        private ValueTask Record(string what, ValueTask done)
        {
            bus.Lines.Enqueue($"{what} {Message.Sequence}");
            return done;
        }
    }
}
