using System.Collections.Immutable;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.Core.Messaging;
using BusMessageStored = AgentExecutor.Core.Messaging.StoredMessage;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Reads a stretch of a stream through a consumer that is made for it and forgotten.</summary>
internal static class NatsStreamReader
{
    private const string Own = "Nats-";
    private const string MessageId = "Nats-Msg-Id";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static async Task<ImmutableArray<BusMessageStored>> ReadAsync(JetStream jetStream, string stream, BusQuery query, CancellationToken cancellationToken)
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
        var read = ImmutableArray.CreateBuilder<BusMessageStored>(count);
        using var puller = jetStream.Pull(stream, consumer.Name);
        while (read.Count < count)
        {
            if (puller.Outstanding == 0 && puller.Buffered == 0)
            {
                await puller.RequestAsync(count - read.Count, Patience, Patience / 3, noWait: false, null, cancellationToken);
            }
            foreach (var message in await puller.ReadBatchAsync(count - read.Count, cancellationToken))
            {
                read.Add(Message(query.Stream, (long)message.Metadata.StreamSequence, message.Metadata.Timestamp, message.Subject, message.Headers, message.Payload));
            }
        }
        await jetStream.DeleteConsumerAsync(stream, consumer.Name, cancellationToken);
        return query.After > 0 && query.Since is { } since ? [.. read.Where(message => message.Time >= since)] : read.ToImmutable();
    }

    /// <summary>A message as the bus knows it: the headers that NATS adds are no part of it.</summary>
    public static BusMessageStored Message(BusStream stream, long sequence, DateTimeOffset time, string subject, NatsHeaders headers, ReadOnlyMemory<byte> body) =>
        new(stream, sequence, time, subject, body)
        {
            Id = headers[MessageId] ?? "",
            Headers = [.. headers.Where(static header => !header.Key.StartsWith(Own, StringComparison.OrdinalIgnoreCase))],
        };
}
