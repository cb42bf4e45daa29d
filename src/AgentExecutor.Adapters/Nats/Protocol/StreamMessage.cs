namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>A message read from a stream by its place, not through a consumer.</summary>
internal sealed record StreamMessage(string Subject, ulong Sequence, NatsHeaders Headers, ReadOnlyMemory<byte> Payload, DateTimeOffset Timestamp);
