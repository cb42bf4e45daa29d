using System.Collections.Immutable;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Reads a stretch of a stream through a consumer that is made for it and forgotten.</summary>
internal static class NatsStreamReader
{
    private const string Own = "Nats-";
    private const string MessageId = "Nats-Msg-Id";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static async Task<ImmutableArray<StoredMessage>> ReadAsync(JetStream jetStream, string stream, BusQuery query, CancellationToken cancellationToken)
    {
        var consumer = await jetStream.CreateConsumerAsync(
            stream,
            new ConsumerConfig
            {
                AckPolicy = AckPolicy.None,
                InactiveThreshold = Patience * 2,
                HeadersOnly = query.HasBodies ? null : true,
                DeliverPolicy = query.After > 0 ? DeliverPolicy.ByStartSequence : query.Since is null ? DeliverPolicy.All : DeliverPolicy.ByStartTime,
                StartSequence = query.After > 0 ? (ulong)query.After + 1 : null,
                StartTime = query.After > 0 ? null : query.Since,
            },
            cancellationToken);
        var count = (int)Math.Min(query.AtMost, consumer.Pending);
        var read = ImmutableArray.CreateBuilder<StoredMessage>(count);
        using var puller = jetStream.Pull(stream, consumer.Name);
        while (read.Count < count)
        {
            if (puller.Outstanding == 0 && puller.Buffered == 0)
            {
                await puller.RequestAsync(count - read.Count, Patience, Patience / 3, noWait: false, null, cancellationToken);
            }
            var messages = await puller.ReadBatchAsync(count - read.Count, cancellationToken);
            foreach (var message in messages)
            {
                read.Add(Message(query.Stream, (long)message.Metadata.StreamSequence, message.Metadata.Timestamp, message.Subject, message.Headers, message.Payload));
            }
            if (messages.Count == 0 && await IsDoneAsync(jetStream, stream, consumer.Name, read.Count, cancellationToken))
            {
                break;
            }
        }
        await jetStream.DeleteConsumerAsync(stream, consumer.Name, cancellationToken);
        return query.After > 0 && query.Since is { } since ? [.. read.Where(message => message.Time >= since)] : read.ToImmutable();
    }

    /// <summary>
    /// Whether there are fewer than were counted, for some were deleted meanwhile. What the server sent over a connection that was lost it does not send again: that is no end
    /// of the stream.
    /// </summary>
    private static async Task<bool> IsDoneAsync(JetStream jetStream, string stream, string consumer, int read, CancellationToken cancellationToken)
    {
        if (await jetStream.FindConsumerAsync(stream, consumer, cancellationToken) is not { Pending: 0 } info)
        {
            return false;
        }
        return (info.Delivered?.Consumer ?? 0) == (ulong)read ? true : throw new NatsException(
            NatsFault.Disconnected, $"the connection was lost while the stream {stream} was read");
    }

    /// <summary>A message as the bus knows it: the headers that NATS adds are no part of it.</summary>
    public static StoredMessage Message(BusStream stream, long sequence, DateTimeOffset time, string subject, NatsHeaders headers, ReadOnlyMemory<byte> body) =>
        new(stream, sequence, time, subject, body)
        {
            Id = headers[MessageId] ?? "",
            Headers = [.. headers.Where(static header => !header.Key.StartsWith(Own, StringComparison.OrdinalIgnoreCase))],
        };
}
