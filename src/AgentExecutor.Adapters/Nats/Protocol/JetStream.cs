namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>Streams and consumers of a NATS cluster: the verbs that we need. All throw <see cref="NatsException"/>, and <see cref="JetStreamException"/> where the server refused.</summary>
internal sealed class JetStream(NatsConnection connection)
{
    private readonly JetStreamApi _api = new(connection);

    /// <summary>Waits for a connection.</summary>
    public Task ConnectAsync(CancellationToken cancellationToken) => connection.ConnectAsync(cancellationToken);

    /// <summary>Null where there is none of the name.</summary>
    public Task<StreamInfo?> FindStreamAsync(string name, CancellationToken cancellationToken) =>
        _api.FindAsync($"STREAM.INFO.{NatsSubjects.CheckName(name)}", default, JetStreamErrors.StreamNotFound, JetStreamJson.Default.StreamInfo, cancellationToken);

    /// <summary>One that is there already with the same configuration is no fault.</summary>
    public Task<StreamInfo> CreateStreamAsync(StreamConfig config, CancellationToken cancellationToken) => _api.CallAsync(
        $"STREAM.CREATE.{NatsSubjects.CheckName(config.Name)}", JetStreamApi.Body(config, JetStreamJson.Default.StreamConfig), JetStreamJson.Default.StreamInfo, cancellationToken);

    public Task<StreamInfo> UpdateStreamAsync(StreamConfig config, CancellationToken cancellationToken) => _api.CallAsync(
        $"STREAM.UPDATE.{NatsSubjects.CheckName(config.Name)}", JetStreamApi.Body(config, JetStreamJson.Default.StreamConfig), JetStreamJson.Default.StreamInfo, cancellationToken);

    /// <summary>False where there was none.</summary>
    public async Task<bool> DeleteStreamAsync(string name, CancellationToken cancellationToken) => await _api.FindAsync(
        $"STREAM.DELETE.{NatsSubjects.CheckName(name)}", default, JetStreamErrors.StreamNotFound, JetStreamJson.Default.SuccessAnswer, cancellationToken) is not null;

    /// <summary>Removes messages, and says how many.</summary>
    /// <param name="subject">Only those that match; all where it is null.</param>
    public async Task<long> PurgeStreamAsync(string name, string? subject, CancellationToken cancellationToken)
    {
        var body = JetStreamApi.Body(new PurgeRequest(subject, null, null), JetStreamJson.Default.PurgeRequest);
        return (await _api.CallAsync($"STREAM.PURGE.{NatsSubjects.CheckName(name)}", body, JetStreamJson.Default.PurgeAnswer, cancellationToken)).Purged;
    }

    /// <summary>Null where there is none of the name; a missing stream is a fault.</summary>
    public Task<ConsumerInfo?> FindConsumerAsync(string stream, string name, CancellationToken cancellationToken) => _api.FindAsync(
        $"CONSUMER.INFO.{Pair(stream, name)}", default, JetStreamErrors.ConsumerNotFound, JetStreamJson.Default.ConsumerInfo, cancellationToken);

    /// <summary>Creates it, or brings a durable one of the same name up to date.</summary>
    public Task<ConsumerInfo> CreateConsumerAsync(string stream, ConsumerConfig config, CancellationToken cancellationToken)
    {
        var body = JetStreamApi.Body(new CreateConsumerRequest(stream, config), JetStreamJson.Default.CreateConsumerRequest);
        var verb = config.DurableName is { } name ? $"CONSUMER.DURABLE.CREATE.{Pair(stream, name)}" : $"CONSUMER.CREATE.{NatsSubjects.CheckName(stream)}";
        return _api.CallAsync(verb, body, JetStreamJson.Default.ConsumerInfo, cancellationToken);
    }

    /// <summary>False where there was none.</summary>
    public async Task<bool> DeleteConsumerAsync(string stream, string name, CancellationToken cancellationToken) => await _api.FindAsync(
        $"CONSUMER.DELETE.{Pair(stream, name)}", default, JetStreamErrors.ConsumerNotFound, JetStreamJson.Default.SuccessAnswer, cancellationToken) is not null;

    /// <summary>Null where the stream has no such message, or no longer.</summary>
    public Task<StreamMessage?> GetMessageAsync(string stream, ulong sequence, CancellationToken cancellationToken) =>
        GetMessageAsync(stream, new MessageRequest(sequence, null), cancellationToken);

    /// <summary>The last one whose subject matches; null where there is none.</summary>
    public Task<StreamMessage?> GetLastMessageAsync(string stream, string subject, CancellationToken cancellationToken) =>
        GetMessageAsync(stream, new MessageRequest(null, subject), cancellationToken);

    /// <summary>False where the stream has no such message.</summary>
    public async Task<bool> DeleteMessageAsync(string stream, ulong sequence, CancellationToken cancellationToken)
    {
        var body = JetStreamApi.Body(new DeleteMessageRequest(sequence, NoErase: true), JetStreamJson.Default.DeleteMessageRequest);
        return await _api.FindAsync(
            $"STREAM.MSG.DELETE.{NatsSubjects.CheckName(stream)}", body, JetStreamErrors.SequenceNotFound, JetStreamJson.Default.SuccessAnswer, cancellationToken) is not null;
    }

    /// <summary>Returns when the stream has stored the message. Any number may be under way; they are stored in the order of the calls.</summary>
    /// <exception cref="NatsException">Where it is transient, nobody knows whether the message was stored: publish it again with the same id.</exception>
    public async Task<PublishAck> PublishAsync(string subject, ReadOnlyMemory<byte> payload, NatsHeaders? headers, PublishExpectations expectations, CancellationToken cancellationToken)
    {
        var reply = await connection.RequestAsync(subject, payload, expectations.AddTo(headers), null, cancellationToken);
        return JetStreamApi.Parse(reply.Payload.Span, JetStreamJson.Default.PublishAck);
    }

    /// <summary>Reads from a pull consumer. Several may pull from the same one, here and in other processes.</summary>
    public JetStreamPuller Pull(string stream, string consumer) => new(connection, Pair(stream, consumer));

    private async Task<StreamMessage?> GetMessageAsync(string stream, MessageRequest request, CancellationToken cancellationToken)
    {
        var body = JetStreamApi.Body(request, JetStreamJson.Default.MessageRequest);
        var answer = await _api.FindAsync(
            $"STREAM.MSG.GET.{NatsSubjects.CheckName(stream)}", body, JetStreamErrors.MessageNotFound, JetStreamJson.Default.MessageAnswer, cancellationToken);
        return answer?.Message is not { } message ? null : new StreamMessage(
            message.Subject, message.Seq, message.Hdrs is null ? NatsHeaders.Empty : NatsHeaders.Decode(message.Hdrs), message.Data ?? [], message.Time);
    }

    private static string Pair(string stream, string consumer) => $"{NatsSubjects.CheckName(stream)}.{NatsSubjects.CheckName(consumer)}";
}
