using System.Globalization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>What the reply subject of a delivered message says of it.</summary>
/// <param name="Delivered">How often it was delivered, this time included.</param>
/// <param name="Pending">Messages that the consumer has yet to deliver.</param>
internal sealed record JetStreamMetadata(string Stream, string Consumer, long Delivered, ulong StreamSequence, ulong ConsumerSequence, DateTimeOffset Timestamp, long Pending)
{
    private const int FirstFormTokens = 9; // $JS.ACK.stream.consumer.delivered.sseq.cseq.timestamp.pending
    private const NumberStyles Digits = NumberStyles.None;
    private const int SecondFormTokens = 11; // with domain and account before the stream; a token or more may follow

    /// <summary>Null where the subject is no JetStream acknowledgement.</summary>
    public static JetStreamMetadata? Parse(string? subject)
    {
        if (subject is null || !subject.StartsWith("$JS.ACK.", StringComparison.Ordinal))
        {
            return null;
        }
        var tokens = subject.Split('.');
        var at = tokens.Length switch
        {
            FirstFormTokens => 2,
            >= SecondFormTokens => 4,
            _ => 0,
        };
        return at > 0 && long.TryParse(tokens[at + 2], Digits, CultureInfo.InvariantCulture, out var delivered)
            && ulong.TryParse(tokens[at + 3], Digits, CultureInfo.InvariantCulture, out var stream)
            && ulong.TryParse(tokens[at + 4], Digits, CultureInfo.InvariantCulture, out var consumer)
            && long.TryParse(tokens[at + 5], Digits, CultureInfo.InvariantCulture, out var nanoseconds)
            && long.TryParse(tokens[at + 6], Digits, CultureInfo.InvariantCulture, out var pending)
            ? new JetStreamMetadata(tokens[at], tokens[at + 1], delivered, stream, consumer, DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / TimeSpan.NanosecondsPerTick), pending)
            : null;
    }
}
