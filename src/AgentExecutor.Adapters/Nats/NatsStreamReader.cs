using System.Collections.Immutable;
using AgentExecutor.Core.Messaging;
using NATS.Client.Core;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;
using StoredMessage = AgentExecutor.Core.Messaging.StoredMessage;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Reads and deletes messages of streams.</summary>
internal sealed class NatsStreamReader(NatsJSContext jetStream, NatsMessages messages)
{
    /// <summary>How long a page waits for the counted messages. It only takes that long if some are deleted in the meantime.</summary>
    private static readonly TimeSpan PageLimit = TimeSpan.FromSeconds(5);

    /// <param name="stream">The stream that stores messages of the query's kind.</param>
    /// <param name="query">Which messages to read.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public Task<ImmutableArray<StoredMessage>> ReadAsync(ExistingStream stream, BusQuery query, CancellationToken cancellationToken) =>
        stream.IsLog ? ConsumeAsync(stream, query, cancellationToken) : GetAsync(stream.Name, query, cancellationToken);

    /// <summary>Deletes a message. Returns false if it does not exist.</summary>
    public async Task<bool> DeleteAsync(string stream, ulong sequence, CancellationToken cancellationToken)
    {
        // The server responds to a sequence beyond the end of the stream with an internal error, so the message is read first.
        if (await messages.FindAsync(stream, new StreamMsgGetRequest { Seq = sequence }, cancellationToken) is null)
        {
            return false;
        }
        try
        {
            var request = new StreamMsgDeleteRequest { Seq = sequence, NoErase = true };
            return (await jetStream.DeleteMessageAsync(stream, request, cancellationToken)).Success;
        }
        catch (NatsJSApiException refusal) when (refusal.Error.ErrCode == NatsFaults.SequenceNotFound)
        {
            return false;
        }
    }

    /// <summary>
    /// Reads one message after another. In a stream that deletes acknowledged messages, a temporary consumer would count as one that must
    /// acknowledge them. Such a stream contains few messages.
    /// </summary>
    private async Task<ImmutableArray<StoredMessage>> GetAsync(string stream, BusQuery query, CancellationToken cancellationToken)
    {
        var read = ImmutableArray.CreateBuilder<StoredMessage>();
        var request = new StreamMsgGetRequest { Seq = (ulong)query.After + 1, NextBySubj = WantedStreams.SubjectsOf(query.Stream) };
        while (read.Count < query.AtMost && await messages.FindAsync(stream, request, cancellationToken) is { } stored)
        {
            request = request with { Seq = stored.Seq + 1 };
            if (query.Since is null || stored.Time >= query.Since)
            {
                var message = NatsMessages.Of(query.Stream, stored);
                read.Add(query.HasBodies ? message : message with { Body = default });
            }
        }
        return read.ToImmutable();
    }

    /// <summary>Reads the messages with a consumer that exists only for this read.</summary>
    private async Task<ImmutableArray<StoredMessage>> ConsumeAsync(
        ExistingStream stream,
        BusQuery query,
        CancellationToken cancellationToken
    )
    {
        var consumer = await jetStream.CreateOrUpdateConsumerAsync(stream.Name, ConfigFor(stream, query), cancellationToken);
        var count = (int)Math.Min((ulong)query.AtMost, consumer.Info.NumPending);
        var read = ImmutableArray.CreateBuilder<StoredMessage>(count);
        while (read.Count < count)
        {
            var before = read.Count;
            var page = new NatsJSFetchOpts { MaxMsgs = count - read.Count, Expires = PageLimit };
            await foreach (var message in consumer.FetchAsync<byte[]>(page, NatsRawSerializer<byte[]>.Default, cancellationToken))
            {
                read.Add(await ReadAsync(query.Stream, message, cancellationToken));
            }
            if (read.Count == before && await IsDoneAsync(consumer, read.Count, cancellationToken))
            {
                break;
            }
        }
        await jetStream.DeleteConsumerAsync(stream.Name, consumer.Info.Name, cancellationToken);
        return query.After > 0 && query.Since is { } since ? [.. read.Where(message => message.Time >= since)] : read.ToImmutable();
    }

    private async Task<StoredMessage> ReadAsync(BusStream kind, INatsJSMsg<byte[]> message, CancellationToken cancellationToken)
    {
        var metadata =
            message.Metadata ?? throw new NatsBusException(NatsBusFault.Unavailable, "the server delivered a message without metadata");
        return message.Error is null
            ? NatsMessages.Of(kind, metadata, message)
            : await messages.RecoverAsync(kind, metadata, message, cancellationToken);
    }

    private static ConsumerConfig ConfigFor(ExistingStream stream, BusQuery query)
    {
        var config = new ConsumerConfig
        {
            // Server 2.9 rejects a filter for a consumer without a name.
            Name = Guid.NewGuid().ToString("N"),
            AckPolicy = ConsumerConfigAckPolicy.None,
            InactiveThreshold = PageLimit * 2,
            FilterSubject = stream.FilterFor(WantedStreams.SubjectsOf(query.Stream)),
            HeadersOnly = !query.HasBodies,
        };
        if (query.After > 0)
        {
            return config with { DeliverPolicy = ConsumerConfigDeliverPolicy.ByStartSequence, OptStartSeq = (ulong)query.After + 1 };
        }
        return query.Since is { } since
            ? config with
            {
                DeliverPolicy = ConsumerConfigDeliverPolicy.ByStartTime,
                OptStartTime = since,
            }
            : config with
            {
                DeliverPolicy = ConsumerConfigDeliverPolicy.All,
            };
    }

    /// <summary>
    /// Returns true if there are fewer messages than were counted, because some were deleted in the meantime. Messages that the server sent
    /// over a connection that was lost are not sent again. They must not be mistaken for the end of the stream, so the read fails.
    /// </summary>
    private static async Task<bool> IsDoneAsync(INatsJSConsumer consumer, int read, CancellationToken cancellationToken)
    {
        await consumer.RefreshAsync(cancellationToken);
        if (consumer.Info.NumPending > 0)
        {
            return false;
        }
        return consumer.Info.Delivered.ConsumerSeq == (ulong)read
            ? true
            : throw new NatsBusException(
                NatsBusFault.Unavailable,
                $"the connection was lost while the stream {consumer.Info.StreamName} was read"
            );
    }
}
