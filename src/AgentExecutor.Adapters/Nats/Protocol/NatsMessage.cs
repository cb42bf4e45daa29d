namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>A message as it came.</summary>
internal sealed record NatsMessage(string Subject, long SubscriptionId, string? ReplyTo, NatsHeaders Headers, ReadOnlyMemory<byte> Payload)
{
    /// <summary>The server's own word, where it has no payload: nobody listens, a pull request has ended, a heartbeat.</summary>
    public int Status => Payload.IsEmpty ? Headers.Status : 0;
}
