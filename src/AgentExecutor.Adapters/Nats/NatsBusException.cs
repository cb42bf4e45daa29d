using NATS.Client.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Why NATS cannot be used, for reasons for which the client has no exception.</summary>
internal enum NatsBusFault
{
    /// <summary>There is no connection, or it was lost. The next attempt may succeed.</summary>
    Unavailable,

    /// <summary>The consumer does not respond: it was deleted, or it has no leader at the moment.</summary>
    ConsumerMissing,

    /// <summary>Streams or consumers do not meet the needs of the service, and must be changed by an administrator.</summary>
    NotUsable,
}

/// <summary>NATS cannot be used. The message contains no secret.</summary>
internal sealed class NatsBusException(NatsBusFault fault, string message, Exception? inner = null) : NatsException(message, inner!)
{
    public NatsBusFault Fault => fault;
}
