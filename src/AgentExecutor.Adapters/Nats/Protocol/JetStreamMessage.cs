using System.Text;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>A message that a consumer delivered. Until it is settled the consumer waits for it; after its <c>ack_wait</c> it is delivered again.</summary>
internal sealed class JetStreamMessage(NatsConnection connection, NatsMessage message, JetStreamMetadata metadata)
{
    public string Subject => message.Subject;

    public NatsHeaders Headers => message.Headers;

    public ReadOnlyMemory<byte> Payload => message.Payload;

    /// <summary>Where to settle it, from any connection of the account.</summary>
    public string ReplyTo => message.ReplyTo!;

    public JetStreamMetadata Metadata => metadata;

    /// <summary>Done. Whether the server got it is not known: at worst it is delivered again.</summary>
    public ValueTask AckAsync(CancellationToken cancellationToken) => SettleAsync("+ACK"u8.ToArray(), cancellationToken);

    /// <summary>Done, and the server says that it has it down.</summary>
    /// <exception cref="NatsException">No answer: it may be delivered again.</exception>
    public Task AckAndConfirmAsync(CancellationToken cancellationToken) => connection.RequestAsync(ReplyTo, "+ACK"u8.ToArray(), null, null, cancellationToken);

    /// <summary>Not done: deliver it again, at once or after a while.</summary>
    public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) => SettleAsync(
        delay <= TimeSpan.Zero ? "-NAK"u8.ToArray() : [.. "-NAK "u8, .. JetStreamApi.Body(new NakDelay(delay), JetStreamJson.Default.NakDelay)], cancellationToken);

    /// <summary>Being worked on: the time until it is delivered again begins anew.</summary>
    public ValueTask InProgressAsync(CancellationToken cancellationToken) => SettleAsync("+WPI"u8.ToArray(), cancellationToken);

    /// <summary>Never deliver it again. Servers before 2.10.4 take the word alone, and would not understand one with a reason.</summary>
    public ValueTask TermAsync(string? reason, CancellationToken cancellationToken) => SettleAsync(
        reason is { Length: > 0 } && connection.Info?.IsAtLeast(2, 10, 4) == true ? Encoding.UTF8.GetBytes($"+TERM {reason}") : "+TERM"u8.ToArray(), cancellationToken);

    private ValueTask SettleAsync(byte[] word, CancellationToken cancellationToken) => connection.PublishAsync(ReplyTo, word, null, null, cancellationToken);
}
